// Storing: every answered message is on disk, and is looked for there afterwards.
import fs from 'node:fs';
import path from 'node:path';
import { pairLoads } from '../lib/pair.mjs';
import { startBare, startFlask, startSketch } from '../lib/peers.mjs';
import { makeFolder, startChat } from '../lib/processes.mjs';
import { countLines, readMetric } from '../lib/rooms.mjs';
import { compare, ensure } from '../lib/stats.mjs';
import { copyHeaders, toCpuNote } from './read.mjs';

const FORM = 'username=bench&message=hello%2C+this+is+message+number+one+of+many';

/** Writes the script that makes wrk post, to one room or to each of some in turn. */
function writeScript(rooms) {
  const file = path.join(makeFolder(), 'post.lua');
  const lines = [
    'wrk.method = "POST"',
    `wrk.body = "${FORM}"`,
    'wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"',
  ];
  if (rooms > 1) {
    const make = `for n = 1, ${rooms} do requests[n] = wrk.format(nil, "/chat/room" .. n) end`;
    lines.push('local requests, turn = {}, 0', `function init() ${make} end`);
    const next = `turn = turn % ${rooms} + 1; return requests[turn]`;
    lines.push(`function request() ${next} end`);
  }
  fs.writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

function toLoad(script, { url }, connections = 64) {
  return ['-t1', `-c${connections}`, '-s', script, `${url}/chat/room1`];
}

/** What a POST is answered with, for a peer to send the same. */
async function copyPost(chat) {
  const body = new URLSearchParams(FORM);
  const answer = await fetch(`${chat.url}/chat/room1`, { method: 'POST', body });
  ensure(answer.status === 201, 'a message is stored');
  return copyHeaders(answer);
}

function countFolder(folder) {
  const files = fs.readdirSync(folder).filter((file) => file.endsWith('.txt'));
  return files.reduce((sum, file) => sum + countLines(path.join(folder, file)), 0);
}

/** Every message that was answered is in its file; wrk's last requests may be stored unanswered. */
async function ensureStored(folder, servers, answered) {
  const lines = countFolder(folder);
  let stored = 0;
  for (const server of servers) stored += await readMetric(server, 'chat_messages_stored_total');
  ensure(lines === stored, `${lines} lines are on disk, ${stored} were counted`);
  ensure(lines >= answered, `${lines} lines are on disk, ${answered} were answered`);
}

const BARE = 'bare node:http that reads the form and answers';

/**
 * Measures servers of our own beside bare node:http, and a sketch that stores as well.
 *
 * @returns a row for each of our own, and one for the sketch: how far any server gets on this disk
 */
async function postBesideBare(effort, rooms, variants) {
  const script = writeScript(rooms);
  const ours = [];
  for (const { env } of variants) {
    const folder = makeFolder();
    ours.push({ folder, chat: await startChat(folder, { env }) });
  }
  const headers = await copyPost(ours[0].chat);
  const sketch = await startSketch(headers);
  const bare = await startBare('form', headers);
  const servers = [...ours.map(({ chat }) => chat), sketch, bare];
  const results = await pairLoads(
    servers.map((server) => ({ loads: [toLoad(script, server)], pids: [server.pid] })),
    effort,
  );
  const [sketched, theirs] = results.slice(-2);
  const rows = [];
  for (const [index, { folder, chat }] of ours.entries()) {
    await ensureStored(folder, [chat], results[index].total);
    const { env, ...row } = variants[index];
    const note = `${await describeBatches(chat)}; ${toCpuNote(results[index], theirs)}`;
    rows.push(toRow(results[index], theirs, { note, ...row }));
  }
  ensure(countFolder(sketch.folder) >= sketched.total, 'the sketch stored all');
  const what = '— not ours, but a sketch that syncs too, without lock, limits and checks';
  rows.push(toRow(sketched, theirs, { what, isExtra: true, note: toCpuNote(sketched, theirs) }));
  await Promise.all(servers.map((server) => server.stop()));
  return rows;
}

function toRow(side, theirs, row) {
  return compare({
    beside: BARE,
    unit: '/s',
    least: 0,
    ...row,
    ours: side.rates,
    theirs: theirs.rates,
  });
}

async function describeBatches(chat) {
  const batches = await readMetric(chat, 'chat_batch_messages_count');
  const size = (await readMetric(chat, 'chat_batch_messages_sum')) / batches;
  const syncMs = ((await readMetric(chat, 'chat_fsync_seconds_sum')) / batches) * 1000;
  return `${size.toFixed(1)} messages a batch, ${syncMs.toFixed(2)} ms a sync`;
}

/** POST to one room, beside a server that stores nothing. */
export function postOneRoom(effort) {
  const what = 'durable POST, 64 clients, one room';
  return postBesideBare(effort, 1, [{ what, least: 0.75 }]);
}

/** POST to 64 rooms, beside a server that stores nothing. */
export function postManyRooms(effort) {
  const what = 'durable POST, 64 clients, 64 rooms';
  return postBesideBare(effort, 64, [
    { what, least: 0.3 },
    {
      what: '— the same with `UV_THREADPOOL_SIZE=32`: more syncs at a time',
      isExtra: true,
      env: { UV_THREADPOOL_SIZE: '32' },
    },
  ]);
}

/** Three processes on one room, beside three on a room each. */
export async function postShared(effort) {
  const sides = [];
  for (const rooms of [1, 3]) {
    const folder = makeFolder();
    const servers = [];
    for (let n = 0; n < 3; n += 1) servers.push(await startChat(folder));
    sides.push({ folder, servers, rooms });
  }
  const script = writeScript(1);
  const [ours, theirs] = await pairLoads(
    sides.map(({ servers, rooms }) => ({
      loads: servers.map((server, index) => {
        const load = toLoad(script, server, 21);
        return [...load.slice(0, -1), `${server.url}/chat/room${rooms === 1 ? 1 : index + 1}`];
      }),
      pids: servers.map(({ pid }) => pid),
    })),
    effort,
  );
  for (const [index, { folder, servers }] of sides.entries()) {
    await ensureStored(folder, servers, [ours, theirs][index].total);
    await Promise.all(servers.map((server) => server.stop()));
  }
  return [
    compare({
      what: 'POST, 3 processes on one room',
      beside: '3 processes on 3 rooms',
      unit: '/s',
      least: 0.7,
      ours: ours.rates,
      theirs: theirs.rates,
      note: 'nothing lost: all lines counted on disk',
    }),
  ];
}

/** POST beside Flask and gunicorn, everything on all cores. */
export async function postFlask(effort) {
  const folder = makeFolder();
  const chat = await startChat(folder, { core: null });
  const flask = await startFlask();
  const script = writeScript(1);
  const [ours, theirs] = await pairLoads(
    [chat, flask].map((server) => ({
      loads: [toLoad(script, server)],
      pids: [server.pid],
      core: null,
    })),
    effort,
  );
  await ensureStored(folder, [chat], ours.total);
  ensure(countLines(path.join(flask.folder, 'room1.txt')) >= theirs.total, 'Flask stored all');
  await Promise.all([chat.stop(), flask.stop()]);
  return [
    compare({
      what: 'durable POST, 64 clients, one room',
      beside: 'Flask, gunicorn, 2 workers, on two cores',
      unit: '/s',
      least: 5,
      ours: ours.rates,
      theirs: theirs.rates,
    }),
  ];
}
