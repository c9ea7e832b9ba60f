/**
 * Commits transactions, and finds out what became of a commit whose answer was lost.
 *
 * Such a commit is in doubt: the connection broke after it was sent. The room's row lock resolves
 * it. Whoever holds that lock knows that no other transaction on the room is open, so the change is
 * stored by then or never will be.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../errors.ts';
import type { Histogram } from '../../ops/metrics.ts';
import { isDatabaseError, type Session } from './driver.ts';
import type { Pool } from './pool.ts';
import type { RoomRow } from './room-rows.ts';

/** How long a commit in doubt may take to resolve, in milliseconds. */
const RESOLVE_TIMEOUT_MS = 6000;
const RESOLVE_PAUSE_MS = 200;

class InDoubtError extends Error {
  readonly room: RoomRow;

  constructor(room: RoomRow, cause: unknown) {
    super('the answer to a commit was lost', { cause });
    this.room = room;
  }
}

/**
 * Runs a transaction on one room and commits it.
 *
 * @param work runs the statements, perhaps several times; returns the room's row as it is after the
 *   commit, or `undefined` to roll back
 * @returns what the work returned, once it is durable
 * @throws ServiceError `unavailable` with a text of its own if nobody can tell whether the change
 *   is stored; after any other error it is not
 */
export async function runTransaction(
  writers: Pool,
  work: (session: Session) => Promise<RoomRow | undefined>,
  commitSeconds: Histogram,
): Promise<RoomRow | undefined> {
  try {
    return await writers.use(async (session) => {
      const room = await work(session);
      if (room === undefined) await session.run('ROLLBACK');
      else await commit(session, room, commitSeconds);
      return room;
    });
  } catch (error) {
    if (!(error instanceof InDoubtError)) throw error;
    if (await resolveCommit(writers, error)) return error.room;
    throw error.cause;
  }
}

async function commit(session: Session, room: RoomRow, commitSeconds: Histogram): Promise<void> {
  const beganMs = performance.now();
  try {
    await session.run('COMMIT');
  } catch (error) {
    throw new InDoubtError(room, error);
  }
  commitSeconds.observe((performance.now() - beganMs) / 1000);
}

async function resolveCommit(writers: Pool, { room, cause }: InDoubtError): Promise<boolean> {
  const endMs = performance.now() + RESOLVE_TIMEOUT_MS;
  while (performance.now() < endMs) {
    try {
      return await writers.use((session) => isCommitted(session, room));
    } catch (error) {
      if (!isDatabaseError(error) && !(error instanceof ServiceError)) throw error;
      await sleep(RESOLVE_PAUSE_MS);
    }
  }
  const text =
    'the database failed while it stored this message, which may be there or not; ' +
    'read the room before you send it again';
  throw new ServiceError('unavailable', text, cause);
}

async function isCommitted(session: Session, room: RoomRow): Promise<boolean> {
  await session.run('SELECT name FROM rooms WHERE name = ? FOR UPDATE', [room.name]);
  const [found] = await session.run<{ commit_id: number }>(
    'SELECT commit_id FROM messages WHERE room = ? AND end_offset = ?',
    [room.name, room.size_bytes],
  );
  await session.run('ROLLBACK');
  return found?.commit_id === room.commit_id;
}
