/** Makes the tables before the first work, and turns the database's failures into refusals. */
import { ServiceError } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import { Outage } from '../outage.ts';
import { isDatabaseError } from './driver.ts';
import type { Pool } from './pool.ts';
import { findWeakSettings, prepareTables } from './schema.ts';

/** The health of one database, as far as this process has seen it. */
export class Health {
  readonly #readers: Pool;
  readonly #log: Log;
  readonly #outage: Outage;
  readonly #onFailure: () => void;
  #prepared: Promise<void> | undefined;

  /**
   * @param onFailure called at each failure of the database
   */
  constructor(readers: Pool, log: Log, onFailure: () => void) {
    this.#readers = readers;
    this.#log = log;
    this.#outage = new Outage(log, 'the database');
    this.#onFailure = onFailure;
  }

  /** Runs work once the tables are made; a failure of the database is `unavailable`. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      this.#prepared ??= this.#prepare();
      await this.#prepared;
      const result = await work();
      this.#outage.noteSuccess();
      return result;
    } catch (error) {
      throw this.#toServiceError(error);
    }
  }

  /** Passes chunks on. A failure between two of them is a refusal, too. */
  async *pass(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
    try {
      yield* chunks;
    } catch (error) {
      throw this.#toServiceError(error);
    }
  }

  #toServiceError(error: unknown): unknown {
    const cause = error instanceof ServiceError ? error.cause : error;
    if (!isDatabaseError(cause)) return error;
    this.#onFailure();
    this.#outage.noteFailure(cause);
    // What answers next may be another server or an empty database.
    this.#prepared = undefined;
    if (error instanceof ServiceError) return error;
    const text = "the database can't do this now; try again in a moment";
    return new ServiceError('unavailable', text, error);
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
