/**
 * What a lock file says: `<owner> <number> <base>` LF `<name>` LF.
 *
 * Owner and number are no other lock's. The base is the room's size before this owner's write, and
 * stands for "has written nothing" while it is no number. The name is that of the lock: the file behind
 * a lock becomes another one's when it is let go (lock-pool.ts). Everything up to the end of the base
 * keeps its place, so that whoever reads while it is written sees a number or none.
 */
import path from 'node:path';
import { type Disk, realDisk } from '../disk/disk.ts';
import { tryClose } from '../disk/files.ts';
import { toErrno } from '../errors.ts';

/** How much of a lock is read, in bytes: its text is shorter, whatever the room's name. */
const MAX_TEXT_BYTES = 512;

/** How many digits a base has in a lock's text: as many as the largest number has. */
const BASE_DIGITS = 16;

/** What stands there before it is known. */
export const NOTHING_WRITTEN = '-'.repeat(BASE_DIGITS);

/** What a reader learns of a lock: the committed size, `undefined` while nothing was written. */
export interface LockRecord {
  readonly committedBytes: number | undefined;
  /** Tells this very lock from every other one, and changes while its owner shows life. */
  readonly identity: string;
}

/** A base as it stands in a lock's text. */
export function formatCommittedOffset(committedBytes: number): string {
  return String(committedBytes).padStart(BASE_DIGITS, '0');
}

/**
 * The text of a lock whose owner has written nothing.
 *
 * @param label owner and number, which no other lock has
 * @param file the lock's path
 */
export function formatLockRecord(label: string, file: string): string {
  return `${label} ${NOTHING_WRITTEN}\n${path.basename(file)}\n`;
}

/**
 * Reads who holds a lock.
 *
 * @param file the lock file's path
 * @returns `undefined` where there is no such file
 */
export function readLockRecord(file: string, disk: Disk = realDisk): LockRecord | undefined {
  let fd: number;
  try {
    fd = disk.openSync(file, 'r');
  } catch (error) {
    if (toErrno(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { ino, mtimeMs, ctimeMs } = disk.fstatSync(fd);
    const bytes = Buffer.allocUnsafe(MAX_TEXT_BYTES);
    const text = bytes.toString('latin1', 0, disk.readSync(fd, bytes, 0, MAX_TEXT_BYTES, 0));
    return {
      committedBytes: readBase(text, path.basename(file)),
      identity: `${ino} ${mtimeMs} ${ctimeMs} ${text}`,
    };
  } finally {
    tryClose(fd, disk);
  }
}

/**
 * Reads the base that a lock's text tells.
 *
 * @param name of the lock: where another one is named, this one was let go between two looks at it,
 *   or power loss brought it back, and the base is that of another room
 */
function readBase(text: string, name: string): number | undefined {
  const [first = '', second, third] = text.split('\n', 3);
  if (second === undefined) return undefined;
  const isOwn = third === undefined ? second === '' : second === name;
  const base = /^\S+ \d+ (\d+)$/.exec(first)?.[1];
  return isOwn && base !== undefined ? Number(base) : undefined;
}
