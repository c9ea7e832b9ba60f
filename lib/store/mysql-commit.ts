/**
 * The commit, and what became of it where its answer was lost: the room's lock tells. Who has it knows
 * that no transaction on the room goes on, and then the change is there or never will be.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../errors.ts';
import { isDatabaseError, type Session } from './mysql-driver.ts';
import type { Pool } from './mysql-pool.ts';

/** How long it is tried to find out what became of a commit. */
const FIND_OUT_MS = 6000;
const FIND_OUT_PAUSE_MS = 200;

/** A change whose commit was begun; whether it is there is for {@link isCommitted} to say. */
export interface Change {
  readonly room: string;
  readonly endOffset: number;
  readonly commitId: number;
}

/** The answer to a commit was lost. */
export class LostCommitError extends Error {
  readonly change: Change;

  /** @param cause what the driver said */
  constructor(change: Change, cause: unknown) {
    super('the answer to a commit was lost', { cause });
    this.name = 'LostCommitError';
    this.change = change;
  }
}

/**
 * Commits the open transaction.
 *
 * @param change what it changes
 * @param onCommit told how long it took, in milliseconds
 * @throws LostCommitError where it may be stored or not
 */
export async function commit(
  session: Session,
  change: Change,
  onCommit: (commitMs: number) => void,
): Promise<void> {
  const begunMs = performance.now();
  try {
    await session.run('COMMIT');
  } catch (error) {
    throw new LostCommitError(change, error);
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
      return await writers.use((session) => isCommitted(session, lost.change));
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
async function isCommitted(session: Session, change: Change): Promise<boolean> {
  await session.run('SELECT name FROM rooms WHERE name = ? FOR UPDATE', [change.room]);
  const [row] = await session.run<{ commit_id: number }>(
    'SELECT commit_id FROM messages WHERE room = ? AND end_offset = ?',
    [change.room, change.endOffset],
  );
  await session.run('ROLLBACK');
  return row?.commit_id === change.commitId;
}
