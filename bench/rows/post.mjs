// Storing: every answered message is on disk, and is looked for there afterwards.
import fs from 'node:fs';
import path from 'node:path';
import { buildSlowSync, makeJournaledDisk } from '../lib/disks.mjs';
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
 * Measures our server beside bare node:http, and a sketch that stores as well.
 *
 * @param {string} [base] the folder in which the rooms' folders are made
 * @returns a row of ours, and one for the sketch: how far a server with one sync a room gets on this disk
 */
async function postBesideBare(effort, rooms, row, base) {
  const script = writeScript(rooms);
  const folder = makeFolder(base);
  const chat = await startChat(folder);
  const headers = await copyPost(chat);
  const sketch = await startSketch(headers, base);
  const bare = await startBare('form', headers);
  const servers = [chat, sketch, bare];
  const [ours, sketched, theirs] = await pairLoads(
    servers.map((server) => ({ loads: [toLoad(script, server)], pids: [server.pid] })),
    effort,
  );
  await ensureStored(folder, [chat], ours.total);
  ensure(countFolder(sketch.folder) >= sketched.total, 'the sketch stored all');
  const note = `${await describeBatches(chat)}; ${toCpuNote(ours, theirs)}`;
  const what = '— not ours: a sketch with one sync a room, without lock, limits and checks';
  await Promise.all(servers.map((server) => server.stop()));
  return [
    toRow(ours, theirs, { note, ...row }),
    toRow(sketched, theirs, { what, isExtra: true, note: toCpuNote(sketched, theirs) }),
  ];
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
  return postBesideBare(effort, 1, { what: 'durable POST, 64 clients, one room', least: 0.8 });
}

/** POST to 64 rooms, beside a server that stores nothing. */
export function postManyRooms(effort) {
  return postBesideBare(effort, 64, { what: 'durable POST, 64 clients, 64 rooms', least: 0.4 });
}

/** POST to 1,000 rooms, beside a server that stores nothing. */
export function postThousandRooms(effort) {
  const what = 'durable POST, 64 clients, 1,000 rooms';
  return postBesideBare(effort, 1000, { what, least: 0.35 });
}

/** The same on ext4 with its own journal, which most people have; where a loop device can be had. */
export async function postJournaledDisk(effort) {
  const disk = makeJournaledDisk();
  if (disk === undefined) return [];
  const what = 'durable POST, 64 clients, 64 rooms, on ext4 with its journal';
  return postBesideBare(effort, 64, { what, least: 0.3 }, disk);
}

/** 64 rooms on a disk whose syncs take 5 ms, beside one room on the same. */
export async function postSlowDisk(effort) {
  const env = { LD_PRELOAD: buildSlowSync() };
  const sides = [];
  for (const rooms of [64, 1]) {
    const folder = makeFolder();
    sides.push({ folder, rooms, chat: await startChat(folder, { env }) });
  }
  const results = await pairLoads(
    sides.map(({ chat, rooms }) => ({
      loads: [toLoad(writeScript(rooms), chat)],
      pids: [chat.pid],
    })),
    effort,
  );
  for (const [index, { folder, chat }] of sides.entries()) {
    await ensureStored(folder, [chat], results[index].total);
    await chat.stop();
  }
  const [ours, theirs] = results;
  const what = 'durable POST, 64 clients, 64 rooms, every sync 5 ms slower';
  return toRow(ours, theirs, { what, beside: 'one room, every sync 5 ms slower', least: 0.8 });
}

/** Three processes on one room and on 64, beside three on a room each. */
export async function postShared(effort) {
  const sides = [];
  for (const rooms of [1, 64, 3]) {
    const folder = makeFolder();
    const servers = [];
    for (let n = 0; n < 3; n += 1) servers.push(await startChat(folder));
    sides.push({ folder, servers, rooms });
  }
  const results = await pairLoads(
    sides.map(({ servers, rooms }) => ({
      loads: servers.map((server, index) => {
        const load = toLoad(writeScript(rooms === 64 ? 64 : 1), server, 21);
        return [...load.slice(0, -1), `${server.url}/chat/room${rooms === 3 ? index + 1 : 1}`];
      }),
      pids: servers.map(({ pid }) => pid),
    })),
    effort,
  );
  for (const [index, { folder, servers }] of sides.entries()) {
    await ensureStored(folder, servers, results[index].total);
    await Promise.all(servers.map((server) => server.stop()));
  }
  const [one, many, apart] = results;
  const row = { beside: '3 processes on 3 rooms', least: 0.7 };
  return [
    toRow(one, apart, { ...row, what: 'durable POST, 3 processes on one room' }),
    toRow(many, apart, { ...row, what: 'durable POST, 3 processes on 64 rooms' }),
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
