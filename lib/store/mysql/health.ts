/** Whether the database is there and its tables are made; its failures as refusals and log lines. */
import { ServiceError } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import { isDatabaseError } from './driver.ts';
import type { Pool } from './pool.ts';
import { findWeakSettings, prepareTables } from './schema.ts';

/** The state of one database, as far as this process has seen it. */
export class Health {
  readonly #readers: Pool;
  readonly #log: Log;
  readonly #onFailure: () => void;
  #prepared: Promise<void> | undefined;
  #isAway = false;

  /**
   * @param readers connections that read
   * @param onFailure told of each failure
   */
  constructor(readers: Pool, log: Log, onFailure: () => void) {
    this.#readers = readers;
    this.#log = log;
    this.#onFailure = onFailure;
  }

  /**
   * Does a piece of work, once the tables are made.
   *
   * @throws ServiceError `unavailable` where the database failed
   */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      this.#prepared ??= this.#prepare();
      await this.#prepared;
      const result = await work();
      this.#noteBack();
      return result;
    } catch (error) {
      throw this.#toServiceError(error);
    }
  }

  /** Hands chunks on; a failure between them is a refusal as well. */
  async *guardChunks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
    try {
      yield* chunks;
    } catch (error) {
      throw this.#toServiceError(error);
    }
  }

  /** Logs that the database failed: one line when it goes, not one for each request. */
  noteAway(error: unknown): void {
    this.#onFailure();
    // What comes back may be another server, or an empty database: it is looked at as at the start.
    this.#prepared = undefined;
    if (!this.#isAway) this.#log.error('the database failed', { error });
    this.#isAway = true;
  }

  #noteBack(): void {
    if (this.#isAway) this.#log.info('the database answers again');
    this.#isAway = false;
  }

  #toServiceError(error: unknown): unknown {
    if (error instanceof ServiceError || !isDatabaseError(error)) return error;
    this.noteAway(error);
    return toAwayError(error);
  }

  async #prepare(): Promise<void> {
    try {
      await this.#readers.use(prepareTables);
      for (const line of await this.#readers.use(findWeakSettings)) this.#log.warn(line);
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
  }
}

/** The refusal of a message or a request that the database did not take. */
export function toAwayError(cause: unknown): ServiceError {
  const text = "the database can't do this now; try again in a moment";
  return new ServiceError('unavailable', text, cause);
}
