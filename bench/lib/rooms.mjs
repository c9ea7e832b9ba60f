// Rooms to measure with.
import fs from 'node:fs';
import path from 'node:path';

/** One line of a room, 64 bytes. */
export const LINE = '[2026-01-01 00:00:00] bench: hello, this is a line of the room\n';

/** Writes a room's file of whole lines, at most so many bytes. */
export function writeRoom(folder, room, sizeBytes) {
  const file = path.join(folder, `${room}.txt`);
  const piece = Buffer.from(
    LINE.repeat(Math.max(1, Math.floor(Math.min(sizeBytes, 8 << 20) / 64))),
  );
  const fd = fs.openSync(file, 'w');
  for (let at = 0; at + piece.length <= sizeBytes; at += piece.length) fs.writeSync(fd, piece);
  fs.closeSync(fd);
  return file;
}

/** Counts a file's lines. */
export function countLines(file) {
  let count = 0;
  const buffer = Buffer.allocUnsafe(1 << 20);
  const fd = fs.openSync(file, 'r');
  for (let size = 1; size > 0; ) {
    size = fs.readSync(fd, buffer);
    for (let at = buffer.indexOf(10); at !== -1 && at < size; at = buffer.indexOf(10, at + 1)) {
      count += 1;
    }
  }
  fs.closeSync(fd);
  return count;
}

/** A number from the service's metrics page. */
export async function readMetric(server, name) {
  const text = await (await fetch(`${server.url}/-/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}
