/** The snapshots of rooms that are read often, bounded in number and bytes. */
import { BoundedMap } from '../../bounded-map.ts';
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
  readonly snapshot: Snapshot;
}

/** Snapshots of settled rooms, each valid for one state of its room's file. */
export class SnapshotCache {
  readonly #rooms = new BoundedMap<string, Kept>({
    maxEntries: MAX_CACHE_ROOMS,
    maxWeight: MAX_CACHE_BYTES,
    weigh: ({ snapshot }) => snapshot.tail.length,
  });

  /** Returns the snapshot of exactly this state of the room's file. */
  get(room: string, state: State): Snapshot | undefined {
    const kept = this.#rooms.get(room);
    return kept !== undefined && isSameState(kept.state, state) ? kept.snapshot : undefined;
  }

  /**
   * Returns the snapshot of the room as it was before the write that goes on now: the same bytes, so
   * the same tag.
   *
   * @param state the file's state in the middle of that write
   * @param committedBytes the committed offset
   */
  getCommitted(room: string, state: State, committedBytes: number): Snapshot | undefined {
    const kept = this.#rooms.get(room);
    const isCommitted =
      kept !== undefined &&
      kept.state.ino === state.ino &&
      kept.state.size === committedBytes &&
      kept.snapshot.completeBytes === committedBytes;
    return isCommitted ? kept.snapshot : undefined;
  }

  /** Keeps a snapshot in the place of an older one of its room. */
  set(room: string, state: State, snapshot: Snapshot): void {
    this.#rooms.set(room, { state, snapshot });
  }
}

/** Returns whether a file's state was the same at two moments. */
export function isSameState(one: State, other: State): boolean {
  return (
    one.size === other.size &&
    one.mtimeMs === other.mtimeMs &&
    one.ctimeMs === other.ctimeMs &&
    one.ino === other.ino
  );
}
