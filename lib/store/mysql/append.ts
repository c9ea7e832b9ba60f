/**
 * Stores a batch, in one transaction: lock the room's row, find the batch's repeats if it may have
 * any, move the room's end, insert the lines, commit.
 *
 * The row lock puts the batches of a room one after another, whatever the replica. Offsets are
 * given out under that lock and become visible with the commit, so no reader sees a gap that fills
 * later.
 */
import { randomBytes } from 'node:crypto';
import { EMPTY_EPOCH, formatCursor, toEpoch } from '../../room/cursor.ts';
import { type Entry, formatLine, formatTime } from '../../room/message.ts';
import { LF } from '../../room/text.ts';
import { type Outcome, type Plan, type Post, planBatch, type RoomText } from '../repeats.ts';
import type { StoreMetrics } from '../store-metrics.ts';
import { runTransaction } from './commit.ts';
import type { Session } from './driver.ts';
import type { Pool } from './pool.ts';
import type { RoomRow } from './room-rows.ts';
import { LINE_COLUMNS, type LineRow, toBytes, toMessageRow, toRawRow, toRows } from './rows.ts';
import { readText } from './snapshot.ts';

/** What is added to a room. */
interface Addition {
  readonly rows: readonly LineRow[];
  /** The offset after the room's last complete line with them. */
  readonly completeBytes: number;
}

/** Adds to the rooms of one database. */
export class Appender {
  readonly #writers: Pool;
  readonly #metrics: StoreMetrics;

  constructor(writers: Pool, metrics: StoreMetrics) {
    this.#writers = writers;
    this.#metrics = metrics;
  }

  /**
   * Stores a batch of messages, but for its repeats. Rejects as {@link runTransaction} does.
   *
   * @returns the outcome of each message, once they are durable
   */
  async appendMessages(room: string, posts: readonly Post[]): Promise<Outcome[]> {
    let plan: Plan | undefined;
    let lines: Batch['lines'] = [];
    const after = await this.#append(room, async (row, session) => {
      plan = await planBatch(posts, () => toRoomText(row, session));
      const batch = toBatch(row, plan.entries);
      lines = batch.lines;
      return plan.isEmpty ? undefined : batch;
    });
    const receipts = lines.map(({ line, end }) => {
      return { line, cursor: formatCursor(after!.epoch, end), isRepeat: false };
    });
    return plan!.toOutcomes(receipts);
  }

  /** Adds bytes to a room as they are; see {@link Store.extend} and {@link runTransaction}. */
  async appendBytes(room: string, offset: number, bytes: Buffer): Promise<boolean> {
    const after = await this.#append(room, async (row) => {
      if (row.size_bytes !== offset) return undefined;
      const end = bytes.lastIndexOf(LF);
      return {
        rows: toRows(bytes, offset, row.complete_bytes === offset),
        completeBytes: end === -1 ? row.complete_bytes : offset + end + 1,
      };
    });
    return after !== undefined;
  }

  /** Adds what `prepare` makes of the locked row, or rolls back if that is `undefined`. */
  #append(
    room: string,
    prepare: (row: RoomRow, session: Session) => Promise<Addition | undefined>,
  ): Promise<RoomRow | undefined> {
    const { lockWaits, syncs } = this.#metrics;
    const work = async (session: Session): Promise<RoomRow | undefined> => {
      const beganMs = performance.now();
      const before = await lockRoom(session, room);
      lockWaits.observe((performance.now() - beganMs) / 1000);
      const addition = await prepare(before, session);
      if (addition === undefined) return undefined;
      const after = await toNextRow(session, before, addition);
      await moveEnd(session, after);
      await insertRows(session, after, addition.rows);
      return after;
    };
    return runTransaction(this.#writers, work, syncs);
  }
}

/** Locks a room's row until the transaction ends. Makes the row if it is missing. */
async function lockRoom(session: Session, room: string): Promise<RoomRow> {
  const sql = 'SELECT * FROM rooms WHERE name = ? FOR UPDATE';
  const [row] = await session.run<RoomRow>(sql, [room]);
  if (row !== undefined) return row;
  await session.run(
    `INSERT INTO rooms (name, birth_id, commit_id) VALUES (?, ?, 0)
      ON DUPLICATE KEY UPDATE name = name`,
    [room, toRandomId()],
  );
  const [made] = await session.run<RoomRow>(sql, [room]);
  return made!;
}

/** The room of a row that this session has locked. */
function toRoomText(row: RoomRow, session: Session): RoomText {
  return {
    epoch: row.epoch,
    sizeBytes: row.size_bytes,
    completeBytes: row.complete_bytes,
    async *read(from, to) {
      yield await readText(session, row, from, to);
    },
  };
}

interface Batch extends Addition {
  readonly lines: readonly { readonly line: string; readonly end: number }[];
}

function toBatch(row: RoomRow, entries: readonly Entry[]): Batch {
  const time = formatTime(Date.now());
  const rows: LineRow[] = [];
  let offset = row.size_bytes;
  // A last line without LF was made by hand. It ends here, so that the message gets a line of its
  // own.
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
  return { rows, lines, completeBytes: offset };
}

async function toNextRow(
  session: Session,
  row: RoomRow,
  { rows, completeBytes }: Addition,
): Promise<RoomRow> {
  return {
    ...row,
    size_bytes: rows.at(-1)?.end_offset ?? row.size_bytes,
    complete_bytes: completeBytes,
    epoch: row.epoch === EMPTY_EPOCH ? await findEpoch(session, row, rows) : row.epoch,
    commit_id: toRandomId(),
  };
}

/** Computes the epoch of a room whose first line was incomplete so far, and therefore short. */
async function findEpoch(
  session: Session,
  row: RoomRow,
  rows: readonly LineRow[],
): Promise<string> {
  const old = await session.run<LineRow>(
    `SELECT ${LINE_COLUMNS} FROM messages WHERE room = ? ORDER BY end_offset`,
    [row.name],
  );
  return toEpoch(Buffer.concat([...old, ...rows].map(toBytes)));
}

async function moveEnd(session: Session, after: RoomRow): Promise<void> {
  await session.run(
    'UPDATE rooms SET size_bytes = ?, complete_bytes = ?, epoch = ?, commit_id = ? WHERE name = ?',
    [after.size_bytes, after.complete_bytes, after.epoch, after.commit_id, after.name],
  );
}

async function insertRows(
  session: Session,
  room: RoomRow,
  rows: readonly LineRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const values = rows.map(({ end_offset, at, username, message, raw }) => [
    ...[room.name, end_offset, at, username, message, raw, room.commit_id],
  ]);
  await session.run(`INSERT INTO messages (room, ${LINE_COLUMNS}, commit_id) VALUES ?`, [values]);
}

/** Returns a number that no other change has, small enough to be exact in a JavaScript number. */
function toRandomId(): number {
  return randomBytes(6).readUIntBE(0, 6) + 1;
}
