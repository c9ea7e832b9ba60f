/**
 * The append: one batch of lines onto a room's file, under the room's lock.
 *
 * Lock, look at the size and the last byte, publish the size, one write in append mode, one
 * fdatasync, and a look whether the batch stands where it should: an editor may have replaced the
 * file, or somebody appended by hand, and an owner that lost its lock while it stood still may have
 * written as well. A write or sync that fails is cut back, still under the lock.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../errors.ts';
import { formatCursor } from '../room/cursor.ts';
import { type Entry, formatLine, formatTime } from '../room/message.ts';
import { endsWithBreak, readEpoch } from './bytes.ts';
import { type Disk, realDisk, type Stat } from './disk.ts';
import { tryClose } from './disk-calls.ts';
import { syncFolder } from './durable.ts';
import type { HeldLock } from './lock-file.ts';
import type { Receipt } from './store.ts';

/** How often a batch is written anew because the file was replaced under it. */
const MAX_REWRITES = 3;

/** How often a failing look is tried again. */
const MAX_LOOKS = 5;

/** How far back from the end a batch is looked for when others wrote too, in bytes. */
const SEARCH_BYTES = 8 << 20;

const LF = 0x0a;

/** How an append is to be made. */
export interface AppendOptions {
  /** Whether to wait until the batch is on disk. */
  readonly durable: boolean;
  /** Told how long each sync took. */
  readonly onSync: (syncMs: number) => void;
  /** Told when a failed write could not be cut back. */
  readonly onLeftover: (error: unknown) => void;
  /** The disk; the system's own unless told. */
  readonly disk?: Disk;
}

/**
 * Appends a batch, all of it or nothing.
 *
 * @param file the room's path; made where it does not exist
 * @param lock the room's lock, held
 * @param entries what to store, in this order
 * @returns a receipt for each entry
 * @throws the system's error, with nothing stored
 */
export async function appendBatch(
  file: string,
  lock: HeldLock,
  entries: readonly Entry[],
  options: AppendOptions,
): Promise<Receipt[]> {
  const { disk = realDisk } = options;
  for (let rewrites = 0; rewrites <= MAX_REWRITES; rewrites += 1) {
    const fd = disk.openSync(file, 'a+', 0o644);
    try {
      const receipts = await tryAppend(fd, file, lock, entries, options);
      if (receipts !== undefined) return receipts;
    } finally {
      // What close may say, the sync has said before.
      tryClose(fd, disk);
    }
  }
  throw new ServiceError('unavailable', 'the room is being replaced by another hand; try again');
}

/** @returns `undefined` where the batch is not in the room's file after all */
async function tryAppend(
  fd: number,
  file: string,
  lock: HeldLock,
  entries: readonly Entry[],
  options: AppendOptions,
): Promise<Receipt[] | undefined> {
  const { disk = realDisk } = options;
  const stat = disk.fstatSync(fd);
  if (!stat.isFile()) throw new ServiceError('unavailable', 'the room is not a plain file');
  const baseBytes = stat.size;
  const gap = endsWithBreak(fd, baseBytes, disk) ? '' : '\n';
  lock.publish(baseBytes);
  if (!lock.isMine()) throw new ServiceError('unavailable', 'the lock was lost; try again');
  const time = formatTime(Date.now());
  const lines = entries.map((entry) => formatLine(time, entry));
  const bytes = Buffer.from(gap + lines.join(''), 'utf8');
  const written = disk.writeSync(fd, bytes);
  try {
    if (written < bytes.length) throw toShortWriteError();
    if (options.durable) await syncBatch(fd, file, baseBytes === 0, options);
    const start = await insist(() => locate(fd, file, stat, bytes, disk));
    if (start === undefined) return undefined;
    const epoch = await insist(() => readEpoch(fd, disk));
    return toReceipts(epoch, start + gap.length, lines);
  } catch (error) {
    await cutBack(fd, baseBytes, written, lock, options);
    throw error;
  }
}

/** Looks again where a look fails: the batch is on disk, and may be out of reach of a cut-back. */
async function insist<T>(look: () => T): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return look();
    } catch (error) {
      if (tries === MAX_LOOKS) throw error;
      await sleep(20 << tries);
    }
  }
}

async function syncBatch(
  fd: number,
  file: string,
  isNew: boolean,
  { disk = realDisk, onSync }: AppendOptions,
): Promise<void> {
  const begunMs = performance.now();
  await disk.fdatasync(fd);
  if (isNew) await syncFolder(path.dirname(file), disk);
  onSync(performance.now() - begunMs);
}

/** Takes a failed write back; only while nobody else can have written behind it. */
async function cutBack(
  fd: number,
  baseBytes: number,
  written: number,
  lock: HeldLock,
  options: AppendOptions,
): Promise<void> {
  if (written === 0) return;
  const { disk = realDisk } = options;
  let failure: unknown = new Error('somebody else wrote behind it');
  for (let tries = 0; tries < 5; tries += 1) {
    try {
      if (!lock.isMine() || disk.fstatSync(fd).size !== baseBytes + written) break;
      disk.ftruncateSync(fd, baseBytes);
      // The cut itself should outlive a crash, but the file is right for every reader by now.
      if (options.durable) await disk.fdatasync(fd).catch(() => undefined);
      return;
    } catch (error) {
      failure = error;
      await sleep(20 << tries);
    }
  }
  options.onLeftover(failure);
}

/**
 * Finds where the batch stands.
 *
 * @param before the open file's state before the write
 * @returns its offset, or `undefined` where the room's file does not have it on lines of its own
 */
function locate(
  fd: number,
  file: string,
  before: Stat,
  bytes: Buffer,
  disk: Disk,
): number | undefined {
  const found = disk.statSync(file, { throwIfNoEntry: false });
  if (found?.ino !== before.ino || found.dev !== before.dev) return undefined;
  if (found.size === before.size + bytes.length) return before.size;
  const from = Math.max(0, found.size - SEARCH_BYTES);
  const tail = Buffer.allocUnsafe(found.size - from);
  const index = tail.subarray(0, disk.readSync(fd, tail, 0, tail.length, from)).lastIndexOf(bytes);
  if (index === -1) return undefined;
  const alone = bytes[0] === LF || from + index === 0 || (index > 0 && tail[index - 1] === LF);
  return alone ? from + index : undefined;
}

function toReceipts(epoch: string, start: number, lines: readonly string[]): Receipt[] {
  let offset = start;
  return lines.map((line) => {
    offset += Buffer.byteLength(line, 'utf8');
    return { line, cursor: formatCursor(epoch, offset) };
  });
}

function toShortWriteError(): Error {
  return Object.assign(new Error('the write was cut short: no space left'), { code: 'ENOSPC' });
}
