/**
 * The append: bytes at the end of a room's file, under the room's lock, all of them or none.
 *
 * 1. Stat the file, and see how it ends.
 * 2. Publish its size as the committed offset, so that readers stop there.
 * 3. Write everything with one call, in append mode.
 * 4. Make that durable (room-sync.ts).
 * 5. Find the bytes in the room's file. An editor may have replaced the file, somebody may have
 *    appended by hand, and an owner that lost its lock while it was frozen may have written too.
 *
 * If the write or the sync fails, the file is truncated to the committed offset, under the lock.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Disk } from '../../disk/disk.ts';
import { toNoSpaceError, tryClose } from '../../disk/files.ts';
import { ServiceError } from '../../errors.ts';
import type { HeldLock } from '../../lock/held-lock.ts';
import { formatCursor } from '../../room/cursor.ts';
import { formatLine, formatTime } from '../../room/message.ts';
import { type Outcome, type Post, planBatch } from '../repeats.ts';
import type { Receipt } from '../store.ts';
import {
  endsWithLf,
  findBatch,
  type Opened,
  openToAppend,
  readEpoch,
  readRoom,
} from './room-file.ts';
import type { RoomSync } from './room-sync.ts';

/**
 * How many times a batch is written again if the file was replaced or changed during the append.
 */
const MAX_REWRITES = 3;

/** How many times to retry a call whose failure would leave us unsure what is stored. */
const MAX_RETRIES = 5;

/** What an append works with. */
export interface AppendOptions {
  readonly disk: Disk;
  /** Makes what was written durable. */
  readonly sync: Pick<RoomSync, 'sync' | 'syncTruncation'>;
  /** Told why a failed write could not be truncated. */
  readonly onLeftover: (error: unknown) => void;
}

/** Where bytes stand that were appended. */
interface Appended {
  readonly start: number;
  readonly epoch: string;
}

/**
 * Appends a batch of messages to a room, except messages that are already there: all of
 * them or none.
 *
 * @param file the room's path; made if it does not exist
 * @throws ServiceError `unavailable`, or the system's error, with nothing stored
 */
export async function appendMessages(
  file: string,
  lock: HeldLock,
  posts: readonly Post[],
  options: AppendOptions,
): Promise<Outcome[]> {
  for (let rewrites = 0; rewrites <= MAX_REWRITES; rewrites += 1) {
    const plan = await planBatch(posts, () => readRoom(file, options.disk));
    if (plan.isEmpty) return plan.toOutcomes([]);
    const time = formatTime(Date.now());
    const lines = plan.entries.map((entry) => formatLine(time, entry));
    let gap = '';
    const appended = await appendToFile(file, lock, options, ({ fd, state }) => {
      // What a person or a crash left without a line feed stays a line of its own.
      gap = endsWithLf(fd, state.size, options.disk) ? '' : '\n';
      return Buffer.from(gap + lines.join(''), 'utf8');
    });
    if (appended !== undefined)
      return plan.toOutcomes(toReceipts(appended.epoch, appended.start + gap.length, lines));
  }
  throw new ServiceError('unavailable', 'somebody keeps replacing the room; try again');
}

/**
 * Appends bytes to a room as they are, all of them or none.
 *
 * @param offset the size that the room must have
 * @returns false if it has another size, or somebody wrote to it meanwhile
 * @throws ServiceError `unavailable`, or the system's error, with nothing stored
 */
export async function appendBytes(
  file: string,
  lock: HeldLock,
  offset: number,
  bytes: Buffer,
  options: AppendOptions,
): Promise<boolean> {
  const appended = await appendToFile(file, lock, options, ({ state }) =>
    state.size === offset ? bytes : undefined,
  );
  return appended?.start === offset;
}

/**
 * @param compose returns what is to be written, or `undefined` for nothing
 * @returns `undefined` if nothing was to be written, or the bytes are not in the room's file
 */
async function appendToFile(
  file: string,
  lock: HeldLock,
  options: AppendOptions,
  compose: (room: Opened) => Buffer | undefined,
): Promise<Appended | undefined> {
  const room = openToAppend(file, options.disk);
  try {
    const bytes = compose(room);
    return bytes && (await writeAndCheck(room, file, lock, bytes, options));
  } finally {
    // The sync has reported what close might report.
    tryClose(room.fd, options.disk);
  }
}

async function writeAndCheck(
  room: Opened,
  file: string,
  lock: HeldLock,
  bytes: Buffer,
  options: AppendOptions,
): Promise<Appended | undefined> {
  const { disk } = options;
  const { fd, state } = room;
  lock.publish(state.size);
  if (!lock.isHeld()) throw new ServiceError('unavailable', 'the lock was lost; try again');
  const writtenBytes = disk.writeSync(fd, bytes);
  try {
    if (writtenBytes < bytes.length) throw toNoSpaceError();
    const written = disk.fstatSync(fd);
    await options.sync.sync({ file, fd, before: state, after: written, bytes });
    // The bytes are durable now, and truncating them may not be possible, so retry before giving
    // up.
    const found = await retry(() => findBatch(fd, file, state, bytes, disk));
    if (found === undefined) return undefined;
    return { start: found.start, epoch: await retry(() => readEpoch(fd, disk)) };
  } catch (error) {
    await truncate(room, file, writtenBytes, lock, options);
    throw error;
  }
}

/** Takes back a failed write, unless somebody else may have appended after it. */
async function truncate(
  { fd, state }: Opened,
  file: string,
  writtenBytes: number,
  lock: HeldLock,
  { disk, sync, onLeftover }: AppendOptions,
): Promise<void> {
  if (writtenBytes === 0) return;
  const committedBytes = state.size;
  try {
    const isTruncated = await retry(() => {
      if (!lock.isHeld() || disk.fstatSync(fd).size !== committedBytes + writtenBytes) return false;
      disk.ftruncateSync(fd, committedBytes);
      return true;
    });
    if (!isTruncated) onLeftover(new Error('somebody else wrote behind it'));
    // It should outlive a power loss too, but by now the file is right for every reader.
    else await sync.syncTruncation({ file, fd, before: state });
  } catch (error) {
    onLeftover(error);
  }
}

async function retry<T>(attempt: () => T): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return attempt();
    } catch (error) {
      if (retries === MAX_RETRIES) throw error;
      await sleep(20 << retries);
    }
  }
}

function toReceipts(epoch: string, start: number, lines: readonly string[]): Receipt[] {
  let offset = start;
  return lines.map((line) => {
    offset += Buffer.byteLength(line, 'utf8');
    return { line, cursor: formatCursor(epoch, offset), isRepeat: false };
  });
}
