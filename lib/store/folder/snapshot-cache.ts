/** The hot rooms' views, bounded in number and bytes; the least lately used go first. */
import type { Snapshot } from '../store.ts';

/** How much text is kept, in bytes. */
export const MAX_CACHE_BYTES = 16 << 20;

/** How many rooms are kept. */
export const MAX_CACHE_ROOMS = 4096;

/** What tells one state of a file from another. */
export interface State {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

interface Kept {
  readonly state: State;
  readonly view: Snapshot;
}

/** Views of settled rooms. */
export class SnapshotCache {
  readonly #rooms = new Map<string, Kept>();
  #bytes = 0;

  /** Gives the view of exactly this state of the room's file. */
  get(room: string, state: State): Snapshot | undefined {
    const kept = this.#rooms.get(room);
    if (kept === undefined || !isSameState(kept.state, state)) return undefined;
    // A map keeps the order of insertion, so the one used last goes last.
    this.#rooms.delete(room);
    this.#rooms.set(room, kept);
    return kept.view;
  }

  /**
   * Gives the view of the room as it was before the write that goes on now: the same bytes, so the
   * same tag.
   *
   * @param baseBytes the size before that write
   */
  getBase(room: string, state: State, committedBytes: number): Snapshot | undefined {
    const kept = this.#rooms.get(room);
    const isBase =
      kept !== undefined &&
      kept.state.ino === state.ino &&
      kept.state.size === committedBytes &&
      kept.view.completeBytes === committedBytes;
    return isBase ? kept.view : undefined;
  }

  /** Keeps a view, and lets go of old ones past the limits. */
  set(room: string, state: State, view: Snapshot): void {
    this.#remove(room);
    this.#rooms.set(room, { state, view });
    this.#bytes += view.tail.length;
    for (const oldest of this.#rooms.keys()) {
      if (this.#bytes <= MAX_CACHE_BYTES && this.#rooms.size <= MAX_CACHE_ROOMS) return;
      this.#remove(oldest);
    }
  }

  #remove(room: string): void {
    const kept = this.#rooms.get(room);
    if (kept === undefined) return;
    this.#bytes -= kept.view.tail.length;
    this.#rooms.delete(room);
  }
}

/** Whether two looks at a file saw the same state. */
export function isSameState(one: State, other: State): boolean {
  return (
    one.size === other.size &&
    one.mtimeMs === other.mtimeMs &&
    one.ctimeMs === other.ctimeMs &&
    one.ino === other.ino
  );
}
