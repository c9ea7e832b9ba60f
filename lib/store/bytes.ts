/** Small looks into a room's file. */
import fs from 'node:fs';
import { EPOCH_BYTES, toEpoch } from '../room/cursor.ts';

const LF = 0x0a;
const FIRST_LOOK_BYTES = 1024;
const TAIL_BYTES = 65_536;

/** Whether a file of this size is empty or ends with LF. */
export function endsWithBreak(fd: number, sizeBytes: number): boolean {
  if (sizeBytes === 0) return true;
  const last = Buffer.allocUnsafe(1);
  return fs.readSync(fd, last, 0, 1, sizeBytes - 1) === 1 && last[0] === LF;
}

/** Gives the epoch of an open room; most first lines are short, so it looks twice at most. */
export function readEpoch(fd: number): string {
  const head = readAt(fd, 0, FIRST_LOOK_BYTES);
  const whole = head.length < FIRST_LOOK_BYTES || head.includes(LF);
  return toEpoch(whole ? head : readAt(fd, 0, EPOCH_BYTES));
}

/**
 * Finds the end of the last complete line.
 *
 * @param sizeBytes where to look back from
 * @returns the offset after the last LF before `sizeBytes`; 0 where there is none
 */
export function findLastBreak(fd: number, sizeBytes: number): number {
  if (endsWithBreak(fd, sizeBytes)) return sizeBytes;
  for (let to = sizeBytes; to > 0; ) {
    const from = Math.max(0, to - TAIL_BYTES);
    const index = readAt(fd, from, to - from).lastIndexOf(LF);
    if (index !== -1) return from + index + 1;
    to = from;
  }
  return 0;
}

/**
 * Reads a part of a file at once.
 *
 * @returns the bytes; fewer than asked for at the file's end
 */
export function readAt(fd: number, from: number, lengthBytes: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const count = fs.readSync(fd, buffer, filled, lengthBytes - filled, from + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled === lengthBytes ? buffer : buffer.subarray(0, filled);
}
