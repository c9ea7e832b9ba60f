/**
 * The append: one batch of lines onto a room, in one transaction.
 *
 * The room's row is locked, so that batches come one after another whatever the replica; offsets are
 * given out under that lock and seen by others only with the commit: no reader sees a gap that fills
 * later.
 */
import { randomBytes } from 'node:crypto';
import { EMPTY_EPOCH, EPOCH_BYTES, formatCursor, toEpoch } from '../room/cursor.ts';
import { type Entry, formatLine, formatTime } from '../room/message.ts';
import { type Change, commit } from './mysql-commit.ts';
import type { Session } from './mysql-driver.ts';
import {
  LINE_COLUMNS,
  type LineRow,
  toBytes,
  toMessageRow,
  toRawRow,
  toRows,
} from './mysql-lines.ts';
import type { RoomRow } from './mysql-rooms.ts';
import type { Receipt } from './store.ts';

const LF = 0x0a;

/** What an append tells on its way. */
export interface AppendEvents {
  /** How long the room's row took to be had, in milliseconds. */
  readonly onLock: (waitMs: number) => void;
  /** What the senders get if the commit that comes now succeeds. */
  readonly onPrepared: (receipts: Receipt[]) => void;
  /** How long the commit took, in milliseconds. */
  readonly onCommit: (commitMs: number) => void;
}

/**
 * Stores a batch.
 *
 * @param session a writing one
 * @throws LostCommitError where it may be stored or not; anything else with nothing stored
 */
export async function appendEntries(
  session: Session,
  room: string,
  entries: readonly Entry[],
  events: AppendEvents,
): Promise<void> {
  const begunMs = performance.now();
  const row = await lockRoom(session, room);
  events.onLock(performance.now() - begunMs);
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
    return { line, offset };
  });
  const { epoch, change } = await extendRoom(session, row, rows, offset);
  events.onPrepared(
    lines.map((one) => ({ line: one.line, cursor: formatCursor(epoch, one.offset) })),
  );
  await commit(session, change, events.onCommit);
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
  const { change } = await extendRoom(session, row, rows, completeBytes);
  await commit(session, change, () => undefined);
  return true;
}

/** Locks a room's row until the transaction ends, making it where it is missing. */
async function lockRoom(session: Session, room: string): Promise<RoomRow> {
  const sql = 'SELECT * FROM rooms WHERE name = ? FOR UPDATE';
  const [row] = await session.run<RoomRow>(sql, [room]);
  if (row !== undefined) return row;
  await session.run(
    'INSERT INTO rooms (name, birth_id, commit_id) VALUES (?, ?, 0) ON DUPLICATE KEY UPDATE name = name',
    [room, toRandomId()],
  );
  const [made] = await session.run<RoomRow>(sql, [room]);
  return made!;
}

async function extendRoom(
  session: Session,
  row: RoomRow,
  rows: readonly LineRow[],
  completeBytes: number,
): Promise<{ epoch: string; change: Change }> {
  const commitId = toRandomId();
  const epoch = row.epoch === EMPTY_EPOCH ? await findEpoch(session, row, rows) : row.epoch;
  const endOffset = rows.at(-1)?.end_offset ?? row.size_bytes;
  if (rows.length > 0) {
    const values = rows.map(({ end_offset, at, username, message, raw }) => [
      row.name,
      end_offset,
      at,
      username,
      message,
      raw,
      commitId,
    ]);
    await session.run(`INSERT INTO messages (room, ${LINE_COLUMNS}, commit_id) VALUES ?`, [values]);
  }
  await session.run(
    'UPDATE rooms SET size_bytes = ?, complete_bytes = ?, epoch = ?, commit_id = ? WHERE name = ?',
    [endOffset, completeBytes, epoch, commitId, row.name],
  );
  return { epoch, change: { room: row.name, endOffset, commitId } };
}

/** The epoch of a room whose first line is only now complete. */
async function findEpoch(
  session: Session,
  row: RoomRow,
  rows: readonly LineRow[],
): Promise<string> {
  const old = await session.run<LineRow>(
    `SELECT ${LINE_COLUMNS} FROM messages WHERE room = ? ORDER BY end_offset LIMIT ?`,
    [row.name, EPOCH_BYTES],
  );
  const head: Buffer[] = [];
  let length = 0;
  for (const one of [...old, ...rows]) {
    if (length >= EPOCH_BYTES) break;
    const bytes = toBytes(one);
    head.push(bytes);
    length += bytes.length;
    if (bytes.includes(LF)) break;
  }
  return toEpoch(Buffer.concat(head));
}

/** A number that no other change has, small enough to be exact everywhere. */
function toRandomId(): number {
  return randomBytes(6).readUIntBE(0, 6) + 1;
}
