// The ceiling of a store that syncs: `node:http`, a queue for each room, one write and one sync a
// batch. No lock, no limits, no checks, no room that another process writes to: not a service, but
// what the disk lets through.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const { PEER_FOLDER, PEER_HEADERS = '[]' } = process.env;
const headers = JSON.parse(PEER_HEADERS);
const rooms = new Map();

function openRoom(url) {
  const file = path.join(PEER_FOLDER, `${path.basename(url)}.txt`);
  const room = { fd: fs.openSync(file, 'a'), waiting: [], isBusy: false };
  rooms.set(url, room);
  return room;
}

function commit(room) {
  const batch = room.waiting;
  room.isBusy = batch.length > 0;
  if (!room.isBusy) return;
  room.waiting = [];
  fs.writeSync(room.fd, batch.map(({ line }) => line).join(''));
  fs.fdatasync(room.fd, (error) => {
    if (error) throw error;
    for (const { response, line } of batch) response.writeHead(201, headers).end(line);
    setImmediate(() => setImmediate(() => commit(room)));
  });
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const line = `[2026-01-01 00:00:00] ${form.get('username')}: ${form.get('message')}\n`;
    const room = rooms.get(request.url) ?? openRoom(request.url);
    room.waiting.push({ response, line });
    if (room.isBusy) return;
    room.isBusy = true;
    setImmediate(() => commit(room));
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`);
});
process.on('SIGINT', () => process.exit(0));
