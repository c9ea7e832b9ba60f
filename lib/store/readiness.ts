/**
 * Whether a store takes writes (contract §8).
 *
 * A real write that succeeded, by a message or by a probe, counts for {@link HOLD_MS}. Only when
 * there was none does a check write anything: one probe, shared by all who ask while it runs. So an
 * idle service that nobody asks leaves its disk asleep. A failure never counts longer than the
 * check that found it.
 */

/** How long a successful write counts. */
export const HOLD_MS = 10_000;

/** The readiness of one store. */
export class Readiness {
  readonly #probe: () => Promise<void>;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  /** @param probe makes a real write and leaves nothing behind; rejects if the store takes none */
  constructor(probe: () => Promise<void>) {
    this.#probe = probe;
  }

  /** Takes note that a message was stored. */
  noteWrite(): void {
    this.#writtenAtMs = performance.now();
  }

  /** Takes note that a write failed: the next check has to find out anew. */
  noteFailure(): void {
    this.#writtenAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Resolves if the store takes writes; rejects with the probe's error if it does not. */
  async check(): Promise<void> {
    if (performance.now() - this.#writtenAtMs < HOLD_MS) return;
    this.#running ??= this.#runProbe();
    await this.#running;
  }

  async #runProbe(): Promise<void> {
    try {
      await this.#probe();
      this.noteWrite();
    } finally {
      this.#running = undefined;
    }
  }
}
