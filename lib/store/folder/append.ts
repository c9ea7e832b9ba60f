/**
 * The append: one batch of lines onto a room's file, under the room's lock.
 *
 * Lock, look at the size and how the room ends, publish the size, one write in append mode, one
 * fdatasync, and a look whether the batch stands where it should: an editor may have replaced the
 * file, or somebody appended by hand, and an owner that lost its lock while it stood still may have
 * written as well. A write or sync that fails is cut back, still under the lock.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Disk, realDisk, type Stat } from '../../disk/disk.ts';
import { syncFolder } from '../../disk/durability.ts';
import { ServiceError } from '../../errors.ts';
import type { HeldLock } from '../../lock/held-lock.ts';
import { formatCursor } from '../../room/cursor.ts';
import { type Entry, formatLine, formatTime } from '../../room/message.ts';
import type { Receipt } from '../store.ts';
import type { OpenFile, OpenFiles } from './open-files.ts';
import { endsWithBreak, locate, readEpoch, tryEpoch } from './room-file.ts';
import { isSameState } from './snapshot-cache.ts';

/** How often a batch is written anew because the file was replaced under it. */
const MAX_REWRITES = 3;

/** How often a failing look is tried again. */
const MAX_LOOKS = 5;

/** How an append is to be made. */
export interface AppendOptions {
  /** Whether to wait until the batch is on disk. */
  readonly durable: boolean;
  /** Told how long each sync took. */
  readonly onSync: (syncMs: number) => void;
  /** Told the receipts that the batch has if all goes well, before it is on disk. */
  readonly onExpected?: (expected: readonly Receipt[]) => void;
  /** Told when this process can't sync the folder that a new room is in. */
  readonly onUnsyncable: (error: unknown) => void;
  /** Told when a failed write could not be cut back. */
  readonly onLeftover: (error: unknown) => void;
  /** The disk; the system's own unless told. */
  readonly disk?: Disk;
  /** The open files of the room's folder. */
  readonly files: OpenFiles;
}

/** A batch that is stored. */
interface Stored {
  readonly receipts: Receipt[];
  readonly epoch: string;
  /** The file's state where nobody else did anything to it since it was opened. */
  readonly after: Stat | undefined;
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
  const { files } = options;
  for (let rewrites = 0; rewrites <= MAX_REWRITES; rewrites += 1) {
    const room = files.open(file);
    let stored: Stored | undefined;
    try {
      stored = await tryAppend(room, file, lock, entries, options);
    } finally {
      if (stored?.after === undefined) files.drop(room);
      else files.keep(file, room, stored.after, stored.epoch);
    }
    if (stored !== undefined) return stored.receipts;
  }
  throw new ServiceError('unavailable', 'the room is being replaced by another hand; try again');
}

/** @returns `undefined` where the batch is not in the room's file after all */
async function tryAppend(
  room: OpenFile,
  file: string,
  lock: HeldLock,
  entries: readonly Entry[],
  options: AppendOptions,
): Promise<Stored | undefined> {
  const { disk = realDisk } = options;
  const { fd, state } = room;
  if (!state.isFile()) throw new ServiceError('unavailable', 'the room is not a plain file');
  const committedBytes = state.size;
  const hasBreak = room.epoch !== undefined || endsWithBreak(fd, committedBytes, disk);
  lock.publish(committedBytes);
  if (!lock.isHeld()) throw new ServiceError('unavailable', 'the lock was lost; try again');
  const time = formatTime(Date.now());
  const lines = entries.map((entry) => formatLine(time, entry));
  const gap = hasBreak ? '' : '\n';
  const bytes = Buffer.from(gap + lines.join(''), 'utf8');
  const written = disk.writeSync(fd, bytes);
  try {
    if (written < bytes.length) throw toShortWriteError();
    const left = options.files.isKeeping ? disk.fstatSync(fd) : undefined;
    let expected: Stored | undefined;
    if (options.durable) {
      await syncBatch(fd, file, committedBytes === 0, options, () => {
        const epoch = left && (room.epoch ?? tryEpoch(fd, disk));
        if (epoch === undefined) return;
        const receipts = toReceipts(epoch, committedBytes + gap.length, lines);
        expected = { receipts, epoch, after: left };
        // Where others write as well they wait for the lock, and there is no time for that.
        if (room.epoch !== undefined) options.onExpected?.(receipts);
      });
    }
    const found = await insist(() => locate(fd, file, state, bytes, disk));
    if (found === undefined) return undefined;
    const isAlone = left?.size === committedBytes + bytes.length && isSameState(left, found.state);
    if (isAlone && expected !== undefined) return expected;
    const after = isAlone ? left : undefined;
    const epoch = await insist(() => readEpoch(fd, disk));
    return { receipts: toReceipts(epoch, found.start + gap.length, lines), epoch, after };
  } catch (error) {
    await cutBack(fd, committedBytes, written, lock, options);
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

/** @param meanwhile done while the disk is at it */
async function syncBatch(
  fd: number,
  file: string,
  isNew: boolean,
  { disk = realDisk, onSync, onUnsyncable }: AppendOptions,
  meanwhile: () => void,
): Promise<void> {
  const begunMs = performance.now();
  const synced = disk.fdatasync(fd);
  try {
    meanwhile();
  } finally {
    await synced;
  }
  if (isNew) await syncFolder(path.dirname(file), disk, onUnsyncable);
  onSync(performance.now() - begunMs);
}

/** Takes a failed write back; only while nobody else can have written behind it. */
async function cutBack(
  fd: number,
  committedBytes: number,
  written: number,
  lock: HeldLock,
  options: AppendOptions,
): Promise<void> {
  if (written === 0) return;
  const { disk = realDisk } = options;
  let failure: unknown = new Error('somebody else wrote behind it');
  for (let tries = 0; tries < 5; tries += 1) {
    try {
      if (!lock.isHeld() || disk.fstatSync(fd).size !== committedBytes + written) break;
      disk.ftruncateSync(fd, committedBytes);
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
