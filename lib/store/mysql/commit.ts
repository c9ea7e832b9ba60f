/**
 * The commit, and what became of it where its answer was lost: the room's lock tells. Who has it knows
 * that no transaction on the room goes on, and then the change is there or never will be.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../errors.ts';
import { isDatabaseError, type Session, StatementError } from './driver.ts';
import type { Pool } from './pool.ts';
import type { RoomRow } from './room-rows.ts';

/** How long it is tried to find out what became of a commit. */
const FIND_OUT_MS = 6000;
const FIND_OUT_PAUSE_MS = 200;

/** The answer to a commit was lost. */
export class LostCommitError extends Error {
  /** The room's row with the change. */
  readonly row: RoomRow;

  /** @param cause what the driver said */
  constructor(row: RoomRow, cause: unknown) {
    super('the answer to a commit was lost', { cause });
    this.name = 'LostCommitError';
    this.row = row;
  }
}

/**
 * Commits the open transaction.
 *
 * @param row the room's row with what it changes
 * @param onCommit told how long it took, in milliseconds
 * @throws LostCommitError where it may be stored or not
 */
export async function commit(
  session: Session,
  row: RoomRow,
  onCommit: (commitMs: number) => void,
): Promise<void> {
  const begunMs = performance.now();
  try {
    await session.run('COMMIT');
  } catch (error) {
    throw new LostCommitError(row, error);
  }
  onCommit(performance.now() - begunMs);
}

/**
 * Runs statements and commits, sent at once.
 *
 * @param sql statements, of which COMMIT is the last
 * @param row the room's row with what they change
 * @param onCommit told how long all of it took, in milliseconds
 * @throws StatementError where one before the COMMIT failed: nothing is stored
 * @throws LostCommitError where it may be stored or not
 */
export async function runAndCommit(
  session: Session,
  sql: readonly string[],
  values: readonly unknown[],
  row: RoomRow,
  onCommit: (commitMs: number) => void,
): Promise<void> {
  const begunMs = performance.now();
  try {
    await session.runAll(sql.join('; '), values);
  } catch (error) {
    if (error instanceof StatementError && error.doneCount < sql.length - 1) throw error;
    throw new LostCommitError(row, error);
  }
  onCommit(performance.now() - begunMs);
}

/**
 * Says what became of a commit whose answer was lost.
 *
 * @param writers connections that write
 * @returns whether the change is there
 * @throws ServiceError `unavailable`, with words of its own, where that can't be found out in time
 */
export async function findOut(writers: Pool, lost: LostCommitError): Promise<boolean> {
  const endMs = performance.now() + FIND_OUT_MS;
  while (performance.now() < endMs) {
    try {
      return await writers.use((session) => isCommitted(session, lost.row));
    } catch (error) {
      if (!isDatabaseError(error) && !(error instanceof ServiceError)) throw error;
      await sleep(FIND_OUT_PAUSE_MS);
    }
  }
  const text =
    'the database went away while it stored this message, which may be there or not; look at the room before you send it again';
  throw new ServiceError('unavailable', text, lost);
}

/** Says what became of a change: waits for its transaction, if that still goes on, and looks. */
async function isCommitted(session: Session, row: RoomRow): Promise<boolean> {
  await session.run('SELECT name FROM rooms WHERE name = ? FOR UPDATE', [row.name]);
  const [found] = await session.run<{ commit_id: number }>(
    'SELECT commit_id FROM messages WHERE room = ? AND end_offset = ?',
    [row.name, row.size_bytes],
  );
  await session.run('ROLLBACK');
  return found?.commit_id === row.commit_id;
}
