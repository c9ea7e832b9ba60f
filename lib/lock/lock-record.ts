/**
 * The lock record, the text of a lock: `<owner> <number> <committed offset>` LF `<name>` LF.
 *
 * No other lock has the same owner and number. Dashes stand for the committed offset while the
 * owner has written nothing. The name is the lock's own: the file behind a lock becomes another
 * lock's once it is released (lock-inodes.ts). All up to the end of the committed offset stands
 * at fixed offsets, so whoever reads while the owner writes sees a number or none.
 */
import path from 'node:path';
import { type Disk, realDisk } from '../disk/disk.ts';
import { tryClose } from '../disk/files.ts';
import { toErrno } from '../errors.ts';

/** How much of a lock is read, in bytes: more than any record has. */
const MAX_RECORD_BYTES = 512;

/** As many as the largest safe integer has. */
const OFFSET_DIGITS = 16;

/** Stands for the committed offset while the owner has written nothing. */
export const NOTHING_WRITTEN = '-'.repeat(OFFSET_DIGITS);

/** What others can read of a lock. */
export interface LockRecord {
  /** The committed offset; `undefined` while its owner has written nothing. */
  readonly committedBytes: number | undefined;
  /** Differs from that of every other lock, and changes whenever the owner does anything to it. */
  readonly identity: string;
}

/** @returns a committed offset as it stands in a lock record */
export function formatCommittedOffset(committedBytes: number): string {
  return String(committedBytes).padStart(OFFSET_DIGITS, '0');
}

/** @returns the record of a lock whose owner has written nothing */
export function formatLockRecord(lockId: string, file: string): string {
  return `${lockId} ${NOTHING_WRITTEN}\n${path.basename(file)}\n`;
}

/**
 * Reads a lock.
 *
 * @returns `undefined` if there is no such file
 * @throws the system's error
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
    const bytes = Buffer.allocUnsafe(MAX_RECORD_BYTES);
    const text = bytes.toString('latin1', 0, disk.readSync(fd, bytes, 0, MAX_RECORD_BYTES, 0));
    return {
      committedBytes: parseCommittedOffset(text, path.basename(file)),
      identity: `${ino} ${mtimeMs} ${ctimeMs} ${text}`,
    };
  } finally {
    tryClose(fd, disk);
  }
}

/**
 * @param name the lock's file name. A record with another name tells nothing of this lock: the lock
 *   was released while it was read, or a power loss brought it back.
 */
function parseCommittedOffset(text: string, name: string): number | undefined {
  const [first = '', second, third] = text.split('\n', 3);
  if (second === undefined) return undefined;
  // A lock that a person or an older version made has no name.
  const isOwn = third === undefined ? second === '' : second === name;
  const digits = /^\S+ \d+ (\d+)$/.exec(first)?.[1];
  return isOwn && digits !== undefined ? Number(digits) : undefined;
}
