/** Reports changed rooms: this process's commits at once, those of other processes by a poll. */
import { setTimeout as sleep } from 'node:timers/promises';

/** How often the database is asked for changes, in milliseconds. */
export const POLL_MS = 150;

/** Takes the name of a room that may have changed. */
type OnChange = (room: string) => void;

/** The watches of one store. */
export class Watches {
  readonly #findEtags: (rooms: string[]) => Promise<Map<string, string>>;
  readonly #listeners = new Set<OnChange>();

  /** @param findEtags returns the entity tags of rooms, by room */
  constructor(findEtags: (rooms: string[]) => Promise<Map<string, string>>) {
    this.#findEtags = findEtags;
  }

  /** Starts a watch; see {@link Store.watch}. */
  start(rooms: () => Iterable<string>, onChange: OnChange): () => void {
    const stop = new AbortController();
    this.#listeners.add(onChange);
    void this.#poll(rooms, onChange, stop.signal);
    return () => {
      stop.abort();
      this.#listeners.delete(onChange);
    };
  }

  /** Reports a room that this process changed. */
  notify(room: string): void {
    for (const onChange of this.#listeners) onChange(room);
  }

  async #poll(
    rooms: () => Iterable<string>,
    onChange: OnChange,
    signal: AbortSignal,
  ): Promise<void> {
    let known = new Map<string, string>();
    const wait = (waitMs: number): Promise<void> =>
      sleep(waitMs, undefined, { ref: false, signal }).catch(() => undefined);
    await wait(POLL_MS);
    while (!signal.aborted) {
      const begunMs = performance.now();
      // A failure is logged by the store. What changed meanwhile shows in the next poll that
      // succeeds.
      const found = await this.#find([...rooms()]).catch(() => known);
      if (signal.aborted) return;
      for (const [room, etag] of found) if (known.get(room) !== etag) onChange(room);
      known = found;
      await wait(Math.max(0, POLL_MS - (performance.now() - begunMs)));
    }
  }

  async #find(rooms: string[]): Promise<Map<string, string>> {
    return rooms.length === 0 ? new Map() : this.#findEtags(rooms);
  }
}
