/**
 * The append: one batch of lines onto a room, in one transaction.
 *
 * The room's row is locked, so that batches come one after another whatever the replica; offsets are
 * given out under that lock and seen by others only with the commit: no reader sees a gap that fills
 * later.
 */

import { ServiceError } from '../../errors.ts';
import { formatCursor } from '../../room/cursor.ts';
import { type Entry, formatLine, formatTime } from '../../room/message.ts';
import { LF } from '../../room/text.ts';
import type { Receipt } from '../store.ts';
import { commit } from './commit.ts';
import type { Session } from './driver.ts';
import type { Guesses } from './guesses.ts';
import type { RoomRow } from './room-rows.ts';
import { type LineRow, toMessageRow, toRawRow, toRows } from './rows.ts';
import { insertRows, lockRoom, moveEnd, storeAtOnce, toNextRow } from './write.ts';

/** What an append tells on its way. */
export interface AppendEvents {
  /** How long the room's row took to be had, in milliseconds; not told where it was there at once. */
  readonly onLock: (waitMs: number) => void;
  /** What the senders get if the commit that comes now succeeds. */
  readonly onPrepared: (receipts: Receipt[]) => void;
  /** How long the commit took, in milliseconds, with all that was sent together with it. */
  readonly onCommit: (commitMs: number) => void;
}

/**
 * Stores a batch.
 *
 * @param session a writing one
 * @param guesses where rooms stand if nobody else wrote
 * @throws LostCommitError where it may be stored or not; anything else with nothing stored
 */
export async function appendEntries(
  session: Session,
  room: string,
  entries: readonly Entry[],
  guesses: Guesses,
  events: AppendEvents,
): Promise<void> {
  const prepare = async (row: RoomRow): Promise<Batch> => {
    const batch = await toBatch(session, row, entries);
    const { epoch } = batch.after;
    const receipts = batch.lines.map(({ line, end }) => ({
      line,
      cursor: formatCursor(epoch, end),
    }));
    events.onPrepared(receipts);
    return batch;
  };
  const last = guesses.take(room);
  if (last?.isAlone) {
    const { after, rows } = await prepare(last.row);
    if (await storeAtOnce(session, last.row, after, rows, events.onCommit)) {
      guesses.put(room, { row: after, isAlone: true });
      return;
    }
  }
  const begunMs = performance.now();
  const row = await lockRoom(session, room);
  events.onLock(performance.now() - begunMs);
  const { after, rows } = await prepare(row);
  await moveLocked(session, row, after);
  await insertRows(session, after, rows);
  await commit(session, after, events.onCommit);
  guesses.put(room, { row: after, isAlone: row.commit_id === last?.row.commit_id });
}

/**
 * Adds bytes to a room as they are: the other half of a copy.
 *
 * @param session a writing one
 * @param offset how long the room is to be now; the room is made where it does not exist
 * @returns whether it was that long
 * @throws LostCommitError where it may be stored or not; anything else with nothing stored
 */
export async function appendBytes(
  session: Session,
  room: string,
  offset: number,
  bytes: Buffer,
): Promise<boolean> {
  const row = await lockRoom(session, room);
  if (row.size_bytes !== offset) {
    await session.run('ROLLBACK');
    return false;
  }
  const rows = toRows(bytes, offset, row.complete_bytes === offset);
  const end = bytes.lastIndexOf(LF);
  const completeBytes = end === -1 ? row.complete_bytes : offset + end + 1;
  const after = await toNextRow(session, row, rows, completeBytes);
  await moveLocked(session, row, after);
  if (rows.length > 0) await insertRows(session, after, rows);
  await commit(session, after, () => undefined);
  return true;
}

async function moveLocked(session: Session, row: RoomRow, after: RoomRow): Promise<void> {
  if (await moveEnd(session, row, after)) return;
  throw new ServiceError('unavailable', "the database let go of the room's lock; try again");
}

/** A batch as it is to be stored. */
interface Batch {
  readonly rows: readonly LineRow[];
  readonly lines: readonly { readonly line: string; readonly end: number }[];
  /** The room's row with it. */
  readonly after: RoomRow;
}

async function toBatch(session: Session, row: RoomRow, entries: readonly Entry[]): Promise<Batch> {
  const time = formatTime(Date.now());
  const rows: LineRow[] = [];
  let offset = row.size_bytes;
  // A hand-made last line without LF ends here; what is said now stands on a line of its own.
  if (row.complete_bytes < offset) {
    offset += 1;
    rows.push(toRawRow(offset, Buffer.of(LF)));
  }
  const lines = entries.map((entry) => {
    const line = formatLine(time, entry);
    offset += Buffer.byteLength(line, 'utf8');
    rows.push(toMessageRow(offset, time, entry));
    return { line, end: offset };
  });
  return { rows, lines, after: await toNextRow(session, row, rows, offset) };
}
