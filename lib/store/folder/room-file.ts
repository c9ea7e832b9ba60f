/** A room's file: what it is called, how it is opened, and what is read from it. */
import fs from 'node:fs';
import path from 'node:path';
import { type Disk, realDisk, type Stat } from '../../disk/disk.ts';
import { readAt, tryClose } from '../../disk/files.ts';
import { ServiceError, toErrno, toServiceError } from '../../errors.ts';
import { EMPTY_EPOCH, EPOCH_BYTES, toEpoch } from '../../room/cursor.ts';
import { fromFileStem, toFileStem } from '../../room/name.ts';
import { LF } from '../../room/text.ts';
import type { RoomText } from '../repeats.ts';

/** The end of a room's file name. */
const ROOM_SUFFIX = '.txt';

/** How much of a room is read at first for its epoch, in bytes: most first lines are shorter. */
const EPOCH_GUESS_BYTES = 1024;

/** How much is read at a time in the search for a line feed, in bytes. */
const SEARCH_STEP_BYTES = 64 << 10;

/** How far back from the end a batch is searched for, in bytes. */
const SEARCH_BYTES = 8 << 20;

/** How much of a room is read at a time, in bytes: so much waits with each slow reader. */
const CHUNK_BYTES = 384 << 10;

/** Without O_NONBLOCK, opening a named pipe would block the event loop. */
const READ_FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);

const NO_THROW = { throwIfNoEntry: false } as const;

/** @returns the path of a room's file */
export function toRoomFile(folder: string, room: string): string {
  return fromStem(folder, toFileStem(room));
}

/** @returns the path of the file of a room whose file stem is known */
export function fromStem(folder: string, stem: string): string {
  return `${folder}${path.sep}${stem}${ROOM_SUFFIX}`;
}

/** @returns the room that it belongs to, `undefined` if it is no room's file */
export function fromRoomFile(name: string): string | undefined {
  if (!name.endsWith(ROOM_SUFFIX)) return undefined;
  return fromFileStem(name.slice(0, -ROOM_SUFFIX.length));
}

/** What tells one state of a file from another. */
export type FileState = Pick<Stat, 'ino' | 'size' | 'mtimeMs' | 'ctimeMs'>;

/** @returns whether nobody has touched a file between two moments */
export function isSameState(one: FileState, other: FileState): boolean {
  return (
    one.size === other.size &&
    one.mtimeMs === other.mtimeMs &&
    one.ctimeMs === other.ctimeMs &&
    one.ino === other.ino
  );
}

/** An open file, and its state when it was opened. */
export interface Opened {
  readonly fd: number;
  readonly state: Stat;
}

/**
 * Opens a room's file to read it.
 *
 * @returns `undefined` if there is no such file
 * @throws ServiceError `unavailable` if it may not be read or is no plain file; a system error
 */
export function openToRead(file: string, disk: Disk = realDisk): Opened | undefined {
  try {
    return openPlain(file, READ_FLAGS, 'read', disk);
  } catch (error) {
    if (toErrno(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Opens a room's file to append to it and to read it; makes it if it does not exist.
 *
 * @throws ServiceError `unavailable` if it may not be written or is no plain file; a system error
 */
export function openToAppend(file: string, disk: Disk): Opened {
  return openPlain(file, 'a+', 'write', disk);
}

function openPlain(file: string, flags: string | number, verb: string, disk: Disk): Opened {
  let fd: number | undefined;
  try {
    fd = disk.openSync(file, flags, 0o644);
    const state = disk.fstatSync(fd);
    if (!state.isFile()) throw Object.assign(new Error('no plain file'), { code: 'EISDIR' });
    return { fd, state };
  } catch (error) {
    if (fd !== undefined) tryClose(fd, disk);
    throw toOpenError(error, file, verb, disk);
  }
}

/** Makes an error that is this room's alone a refusal with its reason. */
function toOpenError(error: unknown, file: string, verb: string, disk: Disk): unknown {
  const errno = toErrno(error);
  if (errno === 'EISDIR') {
    return new ServiceError('unavailable', "the room's file is no plain file", error);
  }
  if (errno !== 'EACCES' && errno !== 'EPERM') return error;
  // A file that does not exist could not be made, so the folder is at fault and not this room.
  if (disk.statSync(file, NO_THROW) === undefined) return error;
  const message = `the service has no right to ${verb} this room's file; its owner can grant it`;
  return new ServiceError('unavailable', message, error);
}

/** @returns whether a file of this size is empty or ends with a line feed */
export function endsWithLf(fd: number, sizeBytes: number, disk: Disk = realDisk): boolean {
  if (sizeBytes === 0) return true;
  const last = Buffer.allocUnsafe(1);
  return disk.readSync(fd, last, 0, 1, sizeBytes - 1) === 1 && last[0] === LF;
}

/** @returns the epoch of a room's open file */
export function readEpoch(fd: number, disk: Disk = realDisk): string {
  const head = readAt(fd, 0, EPOCH_GUESS_BYTES, disk);
  const isEnough = head.length < EPOCH_GUESS_BYTES || head.includes(LF);
  return toEpoch(isEnough ? head : readAt(fd, 0, EPOCH_BYTES, disk));
}

/** @returns the offset after the last line feed before `endBytes`; 0 if there is none */
export function findLastLineEnd(fd: number, endBytes: number, disk: Disk = realDisk): number {
  if (endsWithLf(fd, endBytes, disk)) return endBytes;
  for (let to = endBytes; to > 0; ) {
    const from = Math.max(0, to - SEARCH_STEP_BYTES);
    const index = readAt(fd, from, to - from, disk).lastIndexOf(LF);
    if (index !== -1) return from + index + 1;
    to = from;
  }
  return 0;
}

/**
 * Reads a part of a room's file in chunks that share one buffer. Every chunk opens the file anew,
 * so that slow readers hold no open files, however many they are.
 *
 * @param inode the file that it must still be
 * @throws ServiceError `unavailable` if the file was cut or replaced meanwhile
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
      const part = buffer.subarray(0, Math.min(buffer.length, to - at));
      const bytesRead = await readChunk(file, inode, part, at, disk);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } catch (error) {
    throw toServiceError(error);
  }
}

/** Only the read is async: opening and closing take less time than a wait for them would. */
async function readChunk(
  file: string,
  inode: number,
  into: Buffer,
  at: number,
  disk: Disk,
): Promise<number> {
  const opened = openToRead(file, disk);
  if (opened === undefined) throw toCutError();
  try {
    if (opened.state.ino !== inode) throw toCutError();
    const { bytesRead } = await disk.read(opened.fd, into, 0, into.length, at);
    if (bytesRead === 0) throw toCutError();
    return bytesRead;
  } finally {
    tryClose(opened.fd, disk);
  }
}

function toCutError(): ServiceError {
  const message = 'the room was cut or replaced while it was read; try again';
  return new ServiceError('unavailable', message);
}

/**
 * Reads where a room begins and ends, for the owner of its lock: all of it is committed.
 *
 * @throws see {@link openToRead}
 */
export function readRoom(file: string, disk: Disk): RoomText {
  const opened = openToRead(file, disk);
  if (opened === undefined) {
    return { epoch: EMPTY_EPOCH, sizeBytes: 0, completeBytes: 0, async *read() {} };
  }
  const { fd, state } = opened;
  try {
    const completeBytes = findLastLineEnd(fd, state.size, disk);
    return {
      epoch: completeBytes === 0 ? EMPTY_EPOCH : readEpoch(fd, disk),
      sizeBytes: state.size,
      completeBytes,
      read: (from, to) => readChunks(file, state.ino, from, to, disk),
    };
  } finally {
    tryClose(fd, disk);
  }
}

/** Where a batch stands in a room's file, and the file's state when that was checked. */
export interface Found {
  readonly start: number;
  readonly state: Stat;
}

/**
 * Finds a batch that was written to an open file in the room's file.
 *
 * @param before the open file's state before the write
 * @returns `undefined` if the room's file does not have the batch on lines of its own: the file was
 *   replaced or cut, or somebody wrote half a line just before the batch
 */
export function findBatch(
  fd: number,
  file: string,
  before: Stat,
  bytes: Buffer,
  disk: Disk,
): Found | undefined {
  const state = disk.statSync(file, NO_THROW);
  if (state?.ino !== before.ino || state.dev !== before.dev) return undefined;
  if (state.size === before.size + bytes.length) return { start: before.size, state };
  const from = Math.max(0, state.size - SEARCH_BYTES);
  const tail = readAt(fd, from, state.size - from, disk);
  const index = tail.lastIndexOf(bytes);
  if (index === -1) return undefined;
  const start = from + index;
  const isOnOwnLine = bytes[0] === LF || start === 0 || tail[index - 1] === LF;
  return isOnOwnLine ? { start, state } : undefined;
}
