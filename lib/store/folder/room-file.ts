/** Small looks into a room's file. */
import fs from 'node:fs';
import { type Disk, realDisk, type Stat } from '../../disk/disk.ts';
import { tryClose } from '../../disk/files.ts';
import { ServiceError, toErrno, toServiceError } from '../../errors.ts';
import { EPOCH_BYTES, toEpoch } from '../../room/cursor.ts';
import { LF } from '../../room/text.ts';

const FIRST_LOOK_BYTES = 1024;
const TAIL_BYTES = 65_536;

/** How far back from the end a batch is looked for when others wrote too, in bytes. */
const SEARCH_BYTES = 8 << 20;

/** How much of a larger room is read at a time, in bytes: so much waits with each slow reader. */
const CHUNK_BYTES = 384 << 10;

/** O_NONBLOCK: a pipe that somebody put there must not hold up the process. */
const PLAIN = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);

/** Whether a file of this size is empty or ends with LF. */
export function endsWithBreak(fd: number, sizeBytes: number, disk: Disk = realDisk): boolean {
  if (sizeBytes === 0) return true;
  const last = Buffer.allocUnsafe(1);
  return disk.readSync(fd, last, 0, 1, sizeBytes - 1) === 1 && last[0] === LF;
}

/** Gives the epoch of an open room; most first lines are short, so it looks twice at most. */
export function readEpoch(fd: number, disk: Disk = realDisk): string {
  const head = readAt(fd, 0, FIRST_LOOK_BYTES, disk);
  const whole = head.length < FIRST_LOOK_BYTES || head.includes(LF);
  return toEpoch(whole ? head : readAt(fd, 0, EPOCH_BYTES, disk));
}

/** {@link readEpoch}; `undefined` where it fails just now. */
export function tryEpoch(fd: number, disk: Disk): string | undefined {
  try {
    return readEpoch(fd, disk);
  } catch {
    return undefined;
  }
}

/**
 * Finds the end of the last complete line.
 *
 * @param sizeBytes where to look back from
 * @returns the offset after the last LF before `sizeBytes`; 0 where there is none
 */
export function findLastBreak(fd: number, sizeBytes: number, disk: Disk = realDisk): number {
  if (endsWithBreak(fd, sizeBytes, disk)) return sizeBytes;
  for (let to = sizeBytes; to > 0; ) {
    const from = Math.max(0, to - TAIL_BYTES);
    const index = readAt(fd, from, to - from, disk).lastIndexOf(LF);
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
export function readAt(
  fd: number,
  from: number,
  lengthBytes: number,
  disk: Disk = realDisk,
): Buffer {
  const buffer = Buffer.allocUnsafeSlow(lengthBytes);
  const filled = fill(fd, buffer, from, disk);
  return filled === lengthBytes ? buffer : buffer.subarray(0, filled);
}

/** @returns how many bytes there were */
function fill(fd: number, into: Buffer, from: number, disk: Disk): number {
  let filled = 0;
  while (filled < into.length) {
    const count = disk.readSync(fd, into, filled, into.length - filled, from + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/**
 * Reads a part of a file in pieces that share one buffer. It opens the file anew for every piece:
 * however many slow readers there are, no handle waits for them.
 *
 * @param inode the file that it must still be
 * @throws ServiceError `unavailable` where the file was cut or replaced meanwhile
 */
export async function* readChunks(
  file: string,
  inode: number,
  from: number,
  to: number,
  disk: Disk = realDisk,
): AsyncGenerator<Buffer> {
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, to - from));
    for (let at = from; at < to; ) {
      const length = Math.min(buffer.length, to - at);
      const bytesRead = await readPiece(file, inode, buffer.subarray(0, length), at, disk);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } catch (error) {
    throw toServiceError(error);
  }
}

/** Only the reading may take long; each wait beside it would cost as much as the copying. */
async function readPiece(
  file: string,
  inode: number,
  into: Buffer,
  at: number,
  disk: Disk,
): Promise<number> {
  const opened = openPlain(file, disk);
  if (opened === undefined) throw toCutError();
  const { fd, state } = opened;
  try {
    if (state.ino !== inode) throw toCutError();
    const { bytesRead } = await disk.read(fd, into, 0, into.length, at);
    if (bytesRead === 0) throw toCutError();
    return bytesRead;
  } finally {
    tryClose(fd, disk);
  }
}

/** A file's handle, and its state as it was opened. */
export interface Opened {
  readonly fd: number;
  readonly state: Stat;
}

/**
 * Opens a plain file for reading.
 *
 * @returns `undefined` where there is no such file
 * @throws ServiceError `unavailable` for a folder, a pipe and their like
 */
export function openPlain(file: string, disk: Disk = realDisk): Opened | undefined {
  let fd: number;
  try {
    fd = disk.openSync(file, PLAIN);
  } catch (error) {
    if (toErrno(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const state = disk.fstatSync(fd);
    if (state.isFile()) return { fd, state };
    throw new ServiceError('unavailable', 'the room is not a plain file');
  } catch (error) {
    tryClose(fd, disk);
    throw error;
  }
}

function toCutError(): ServiceError {
  return new ServiceError(
    'unavailable',
    'the room was cut or replaced while it was read; try again',
  );
}

/**
 * Finds where a batch stands that has been written to a room's file.
 *
 * @param before the open file's state before the write
 * @param bytes the batch
 * @returns its offset and the file's state; `undefined` where the room's file does not have it on
 *   lines of its own
 */
export function locate(
  fd: number,
  file: string,
  before: Stat,
  bytes: Buffer,
  disk: Disk,
): { start: number; state: Stat } | undefined {
  const found = disk.statSync(file, { throwIfNoEntry: false });
  if (found?.ino !== before.ino || found.dev !== before.dev) return undefined;
  if (found.size === before.size + bytes.length) return { start: before.size, state: found };
  const from = Math.max(0, found.size - SEARCH_BYTES);
  const tail = Buffer.allocUnsafe(found.size - from);
  const index = tail.subarray(0, disk.readSync(fd, tail, 0, tail.length, from)).lastIndexOf(bytes);
  if (index === -1) return undefined;
  const alone = bytes[0] === LF || from + index === 0 || (index > 0 && tail[index - 1] === LF);
  return alone ? { start: from + index, state: found } : undefined;
}
