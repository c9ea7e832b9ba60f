/** The statements of a transaction that adds to a room. */
import { randomBytes } from 'node:crypto';
import { EMPTY_EPOCH, EPOCH_BYTES, toEpoch } from '../../room/cursor.ts';
import { LF } from '../../room/text.ts';
import { runAndCommit } from './commit.ts';
import { type Session, StatementError } from './driver.ts';
import type { RoomRow } from './room-rows.ts';
import { LINE_COLUMNS, type LineRow, toBytes } from './rows.ts';

/** Locks a room's row until the transaction ends, making it where it is missing. */
export async function lockRoom(session: Session, room: string): Promise<RoomRow> {
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

/** The room's row once these rows are there. */
export async function toNextRow(
  session: Session,
  row: RoomRow,
  rows: readonly LineRow[],
  completeBytes: number,
): Promise<RoomRow> {
  return {
    ...row,
    size_bytes: rows.at(-1)?.end_offset ?? row.size_bytes,
    complete_bytes: completeBytes,
    epoch: row.epoch === EMPTY_EPOCH ? await findEpoch(session, row, rows) : row.epoch,
    commit_id: toRandomId(),
  };
}

/**
 * Moves the end of a room.
 *
 * @returns whether the room's row was the one that is meant; it is locked then
 */
export async function moveEnd(session: Session, before: RoomRow, after: RoomRow): Promise<boolean> {
  return (await session.change(MOVE, toMoveValues(before, after))) === 1;
}

const MOVE = `UPDATE rooms SET size_bytes = ?, complete_bytes = ?, epoch = ?, commit_id = ?
  WHERE name = ? AND birth_id = ? AND commit_id = ?`;

function toMoveValues(before: RoomRow, after: RoomRow): unknown[] {
  return [
    ...[after.size_bytes, after.complete_bytes, after.epoch, after.commit_id],
    ...[before.name, before.birth_id, before.commit_id],
  ];
}

const INSERT = `INSERT INTO messages (room, ${LINE_COLUMNS}, commit_id) VALUES`;

/** Inserts the rows of a change. */
export async function insertRows(
  session: Session,
  room: RoomRow,
  rows: readonly LineRow[],
): Promise<void> {
  const values = rows.map((row) => [room.name, ...toRowValues(room, row)]);
  await session.run(`${INSERT} ?`, [values]);
}

function toRowValues(
  { commit_id }: RoomRow,
  { end_offset, at, username, message, raw }: LineRow,
): unknown[] {
  return [end_offset, at, username, message, raw, commit_id];
}

/**
 * Moves the end of a room, inserts the rows and commits, all sent at once: the database works while
 * this process answers the batch before.
 *
 * @param before the room's row as it is thought to be
 * @returns whether it was that; if not, nothing is changed, and the transaction goes on
 * @throws LostCommitError where it may be stored or not; anything else with nothing stored
 */
export async function storeAtOnce(
  session: Session,
  before: RoomRow,
  after: RoomRow,
  rows: readonly LineRow[],
  onCommit: (commitMs: number) => void,
): Promise<boolean> {
  const [first, ...others] = rows;
  // Where no row was moved, the first one has no room: the database refuses it and stops there.
  const insert = `${INSERT} (IF(ROW_COUNT() = 1, ?, NULL), ?)${others.length > 0 ? ', ?' : ''}`;
  const values = [...toMoveValues(before, after), after.name, toRowValues(after, first!)];
  if (others.length > 0) values.push(others.map((row) => [after.name, ...toRowValues(after, row)]));
  try {
    await runAndCommit(session, [MOVE, insert, 'COMMIT'], values, after, onCommit);
    return true;
  } catch (error) {
    if (error instanceof StatementError && error.code === 'ER_BAD_NULL_ERROR') return false;
    throw error;
  }
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
