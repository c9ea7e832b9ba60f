/** The statements of a transaction that adds to a room. */
import { randomBytes } from 'node:crypto';
import { EMPTY_EPOCH, EPOCH_BYTES, toEpoch } from '../room/cursor.ts';
import type { Session } from './mysql-driver.ts';
import { LINE_COLUMNS, type LineRow, toBytes } from './mysql-lines.ts';
import type { RoomRow } from './mysql-rooms.ts';

const LF = 0x0a;

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
  const count = await session.change(
    `UPDATE rooms SET size_bytes = ?, complete_bytes = ?, epoch = ?, commit_id = ?
      WHERE name = ? AND birth_id = ? AND commit_id = ?`,
    [
      ...[after.size_bytes, after.complete_bytes, after.epoch, after.commit_id],
      ...[before.name, before.birth_id, before.commit_id],
    ],
  );
  return count === 1;
}

/** Inserts the rows of a change. */
export async function insertRows(
  session: Session,
  room: RoomRow,
  rows: readonly LineRow[],
): Promise<void> {
  const values = rows.map(({ end_offset, at, username, message, raw }) => [
    ...[room.name, end_offset, at, username, message, raw, room.commit_id],
  ]);
  await session.run(`INSERT INTO messages (room, ${LINE_COLUMNS}, commit_id) VALUES ?`, [values]);
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
