/** Keeps the log short while a store is failing: one line when that begins, one when it ends. */
import type { Log } from '../ops/log.ts';

/**
 * A success this soon after a failure does not end an outage. A full disk still takes what fits
 * into the last block of a file, so refusals and successes alternate for a while.
 */
const QUIET_MS = 1000;

/** The outages of one store. */
export class Outage {
  readonly #log: Log;
  readonly #subject: string;
  #isOut = false;
  #failedAtMs = 0;

  /** @param subject what may fail, as in "the database" or "reading the folder" */
  constructor(log: Log, subject: string) {
    this.#log = log;
    this.#subject = subject;
  }

  /** Takes note of a failure, and logs it if it begins an outage. */
  noteFailure(error: unknown): void {
    this.#failedAtMs = performance.now();
    if (!this.#isOut) this.#log.error(`${this.#subject} failed`, { error });
    this.#isOut = true;
  }

  /** Takes note of a success, and logs it if it ends an outage. */
  noteSuccess(): void {
    if (!this.#isOut || performance.now() - this.#failedAtMs < QUIET_MS) return;
    this.#isOut = false;
    this.#log.info(`${this.#subject} works again`);
  }
}
