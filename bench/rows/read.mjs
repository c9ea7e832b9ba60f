// Reading: a whole room, a room that has not changed, and against Flask.

import { pairLoads } from '../lib/pair.mjs';
import { startBare, startFlask } from '../lib/peers.mjs';
import { makeFolder, startChat } from '../lib/processes.mjs';
import { writeRoom } from '../lib/rooms.mjs';
import { compare, ensure } from '../lib/stats.mjs';

const WRK = ['-t1', '-c64'];

/** Fields that `node:http` writes by itself. */
const AUTOMATIC = new Set(['connection', 'date', 'keep-alive']);

/** What a peer has to send to put the same bytes on the wire. */
export function copyHeaders(answer) {
  return [...answer.headers].filter(([name]) => !AUTOMATIC.has(name)).flat();
}

/** GET of a 10 KB room beside bare node:http. */
export async function readWhole(effort) {
  const folder = makeFolder();
  writeRoom(folder, 'ten', 10_240);
  const chat = await startChat(folder);
  const answer = await fetch(`${chat.url}/chat/ten`);
  const text = await answer.text();
  ensure(text.length > 10_000 && answer.status === 200, 'a whole room is answered');
  const bodyBytes = text.length;
  const bare = await startBare('text', copyHeaders(answer), { bodyBytes });
  const least = ['Content-Type', 'text/plain', 'Content-Length', String(bodyBytes)];
  const leastBare = await startBare('text', least, { bodyBytes });
  const servers = [chat, bare, leastBare];
  const [ours, theirs, theirsLeast] = await pairLoads(
    servers.map(({ url, pid }) => ({ loads: [[...WRK, `${url}/chat/ten`]], pids: [pid] })),
    effort,
  );
  await Promise.all(servers.map((server) => server.stop()));
  const beside = 'bare node:http, same bytes';
  const row = { what: 'GET a 10 KB room', beside, unit: '/s', least: 0.92 };
  return [
    compare({ ...row, ours: ours.rates, theirs: theirs.rates, note: toCpuNote(ours, theirs) }),
    compare({
      ...row,
      what: '— the same, of a bare server with 2 header fields instead of 9',
      beside: 'bare node:http, same body',
      least: 0,
      isExtra: true,
      ours: ours.rates,
      theirs: theirsLeast.rates,
      note: toCpuNote(ours, theirsLeast),
    }),
  ];
}

/** GET with If-None-Match beside bare node:http that answers 304. */
export async function readUnchanged(effort) {
  const folder = makeFolder();
  writeRoom(folder, 'ten', 10_240);
  const chat = await startChat(folder);
  const etag = (await fetch(`${chat.url}/chat/ten`)).headers.get('etag');
  const answer = await fetch(`${chat.url}/chat/ten`, { headers: { 'If-None-Match': etag } });
  ensure(answer.status === 304, 'an unchanged room is a 304');
  const bare = await startBare('unchanged', copyHeaders(answer));
  const [ours, theirs] = await pairLoads(
    [chat, bare].map(({ url, pid }) => ({
      loads: [[...WRK, '-H', `If-None-Match: ${etag}`, `${url}/chat/ten`]],
      pids: [pid],
    })),
    effort,
  );
  await Promise.all([chat.stop(), bare.stop()]);
  return [
    compare({
      what: 'GET, `304`',
      beside: 'bare node:http `304`',
      unit: '/s',
      least: 0.85,
      ours: ours.rates,
      theirs: theirs.rates,
      note: toCpuNote(ours, theirs),
    }),
  ];
}

/** GET beside Flask and gunicorn, everything on all cores. */
export async function readFlask(effort) {
  const folder = makeFolder();
  writeRoom(folder, 'ten', 10_240);
  const chat = await startChat(folder, { core: null });
  const flask = await startFlask();
  writeRoom(flask.folder, 'ten', 10_240);
  const texts = await Promise.all(
    [chat, flask].map(async ({ url }) => (await fetch(`${url}/chat/ten`)).text()),
  );
  ensure(texts[0] === texts[1] && texts[0].length > 10_000, 'both answer the same room');
  const [ours, theirs] = await pairLoads(
    [chat, flask].map(({ url, pid }) => ({
      loads: [[...WRK, `${url}/chat/ten`]],
      pids: [pid],
      core: null,
    })),
    effort,
  );
  await Promise.all([chat.stop(), flask.stop()]);
  return [
    compare({
      what: 'GET a 10 KB room',
      beside: 'Flask, gunicorn, 2 workers, on two cores',
      unit: '/s',
      least: 5,
      ours: ours.rates,
      theirs: theirs.rates,
    }),
  ];
}

/** CPU time tells what a busy machine's clock does not. */
export function toCpuNote(ours, theirs) {
  const { ratio } = compare({ ours: theirs.cpus, theirs: ours.cpus, least: 0 });
  return `by CPU time a request: ${ratio.median.toFixed(2)}`;
}
