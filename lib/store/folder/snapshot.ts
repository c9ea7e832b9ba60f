/**
 * Snapshots of the rooms in a folder, and their entity tags.
 *
 * While somebody holds a room's lock, readers are shown the room up to the lock's committed offset.
 * Otherwise the room is settled, and all of it is shown, even a last line without LF.
 *
 * Rooms that are read often are kept in memory. A snapshot from memory is used only if the file
 * still has the same state (inode, size, mtime, ctime), so no process ever serves a stale room.
 */
import { BoundedMap } from '../../bounded-map.ts';
import { type Disk, realDisk } from '../../disk/disk.ts';
import { readAt, tryClose } from '../../disk/files.ts';
import type { LockFolder } from '../../lock/lock.ts';
import { EMPTY_EPOCH, toEpoch } from '../../room/cursor.ts';
import { toFileStem } from '../../room/name.ts';
import { LF } from '../../room/text.ts';
import type { Snapshot } from '../store.ts';
import {
  type FileState,
  findLastLineEnd,
  isSameState,
  openToRead,
  readChunks,
  readEpoch,
  toRoomFile,
} from './room-file.ts';

/** The largest room that is kept in memory as a whole, in bytes. */
export const MAX_TEXT_BYTES = 256 << 10;

/** How much is kept of the end of a larger one, in bytes: what most readers read of it. */
export const TAIL_BYTES = 64 << 10;

/** How much is kept in memory of all rooms. */
const CACHE_BOUNDS = { maxEntries: 4096, maxWeight: 16 << 20 };

/** After how long the same lock is suspected to be stale. */
const SUSPECT_MS = 500;

/** How often a snapshot is begun again because the file changed meanwhile. */
const MAX_TRIES = 8;

const NO_THROW = { throwIfNoEntry: false } as const;

const EMPTY: Snapshot = {
  etag: '"empty"',
  sizeBytes: 0,
  completeBytes: 0,
  epoch: EMPTY_EPOCH,
  isSettled: true,
  tail: Buffer.alloc(0),
  async *read() {},
};

/** The snapshot of a settled room, valid for one state of its file. */
interface Cached {
  readonly state: FileState;
  readonly snapshot: Snapshot;
}

/** The snapshots of one folder's rooms. */
export class Snapshots {
  readonly #folder: string;
  readonly #locks: LockFolder;
  readonly #onSuspect: (room: string) => void;
  readonly #disk: Disk;
  readonly #cache = new BoundedMap<string, Cached>({
    ...CACHE_BOUNDS,
    weigh: ({ snapshot }) => snapshot.tail.length,
  });
  readonly #suspects = new BoundedMap<string, { identity: string; sinceMs: number }>({
    maxEntries: 10_000,
  });

  /**
   * @param onSuspect told once of a room whose lock may be stale
   */
  constructor(
    folder: string,
    locks: LockFolder,
    onSuspect: (room: string) => void,
    disk: Disk = realDisk,
  ) {
    this.#folder = folder;
    this.#locks = locks;
    this.#onSuspect = onSuspect;
    this.#disk = disk;
  }

  /**
   * Returns a room's entity tag without opening its file.
   *
   * @throws the system's error
   */
  etag(room: string): string {
    const state = this.#disk.statSync(toRoomFile(this.#folder, room), NO_THROW);
    if (state === undefined) return EMPTY.etag;
    const cached = this.#getCached(room, state);
    if (cached !== undefined) return cached.etag;
    const committedBytes = this.#readCommitted(room, state);
    if (committedBytes === undefined) return toEtag(state);
    const committed = this.#getCommitted(room, state, committedBytes);
    return committed?.etag ?? toEtag(state, committedBytes);
  }

  /**
   * Returns a room as it stands now.
   *
   * @throws ServiceError `unavailable`, or the system's error
   */
  snapshot(room: string): Snapshot {
    const file = toRoomFile(this.#folder, room);
    for (let tries = 1; ; tries += 1) {
      const state = this.#disk.statSync(file, NO_THROW);
      if (state === undefined) return EMPTY;
      const cached = this.#getCached(room, state);
      if (cached !== undefined) return cached;
      const snapshot = this.#tryRead(room, file, tries >= MAX_TRIES);
      if (snapshot !== undefined) return snapshot;
    }
  }

  /** @returns `undefined` if the file was removed or changed meanwhile */
  #tryRead(room: string, file: string, isLastTry: boolean): Snapshot | undefined {
    const opened = openToRead(file, this.#disk);
    if (opened === undefined) return undefined;
    const { fd, state } = opened;
    const isUnchanged = (): boolean => isSameState(state, this.#disk.fstatSync(fd));
    const read = (committedBytes?: number): Snapshot | undefined =>
      readSnapshot(fd, file, state, committedBytes, this.#disk);
    try {
      const committedBytes = this.#readCommitted(room, state);
      if (committedBytes !== undefined) {
        const committed = this.#getCommitted(room, state, committedBytes);
        if (committed !== undefined) return { ...committed, isSettled: false };
        // All of it is committed only if nobody wrote between the stat and the reading of the lock.
        const isSure = committedBytes < state.size || isLastTry || isUnchanged();
        return isSure ? read(committedBytes) : undefined;
      }
      const snapshot = read();
      // A write may have begun before the stat and have ended before the lock was read.
      if (snapshot !== undefined && isUnchanged()) {
        this.#cache.set(room, { state, snapshot });
        return snapshot;
      }
      // In a room that never stands still: what was there when nobody held the lock is committed.
      return isLastTry ? read(state.size) : undefined;
    } finally {
      tryClose(fd, this.#disk);
    }
  }

  /** @returns the snapshot of exactly this state of the room's file, if it is kept */
  #getCached(room: string, state: FileState): Snapshot | undefined {
    const cached = this.#cache.get(room);
    return cached && isSameState(cached.state, state) ? cached.snapshot : undefined;
  }

  /** @returns the snapshot from before the write that goes on: the same bytes, so the same tag */
  #getCommitted(room: string, state: FileState, committedBytes: number): Snapshot | undefined {
    const cached = this.#cache.get(room);
    if (cached?.state.ino !== state.ino || cached.state.size !== committedBytes) return undefined;
    return cached.snapshot.completeBytes === committedBytes ? cached.snapshot : undefined;
  }

  /** @returns how much of the file is committed, `undefined` if nobody holds the lock */
  #readCommitted(room: string, state: FileState): number | undefined {
    const lock = this.#locks.read(toFileStem(room));
    if (lock === undefined) {
      this.#suspects.delete(room);
      return undefined;
    }
    this.#suspect(room, lock.identity);
    return Math.min(state.size, lock.committedBytes ?? state.size);
  }

  /** Finds locks of owners that died: they hide what was written, though nobody else wants them. */
  #suspect(room: string, identity: string): void {
    const suspect = this.#suspects.get(room);
    const nowMs = performance.now();
    if (suspect?.identity !== identity) {
      this.#suspects.set(room, { identity, sinceMs: nowMs });
    } else if (nowMs - suspect.sinceMs > SUSPECT_MS) {
      suspect.sinceMs = Number.POSITIVE_INFINITY;
      this.#onSuspect(room);
    }
  }
}

/**
 * @param committedBytes `undefined` if nobody holds the lock
 * @returns `undefined` if the file was cut since its stat
 */
function readSnapshot(
  fd: number,
  file: string,
  state: FileState,
  committedBytes: number | undefined,
  disk: Disk,
): Snapshot | undefined {
  const endBytes = committedBytes ?? state.size;
  const startBytes = endBytes <= MAX_TEXT_BYTES ? 0 : endBytes - TAIL_BYTES;
  const text = readAt(fd, startBytes, endBytes - startBytes, disk);
  if (startBytes + text.length < endBytes) return undefined;
  const lastLf = text.lastIndexOf(LF);
  const completeBytes =
    lastLf === -1 ? findLastLineEnd(fd, startBytes, disk) : startBytes + lastLf + 1;
  const sizeBytes = committedBytes === undefined ? endBytes : completeBytes;
  return {
    etag: toEtag(state, committedBytes),
    sizeBytes,
    completeBytes,
    epoch: findEpoch(fd, completeBytes, startBytes === 0 ? text : undefined, disk),
    isSettled: committedBytes === undefined,
    // Nothing of a half line that is longer than the tail is shown.
    tail: text.subarray(0, Math.max(0, sizeBytes - startBytes)),
    read: (from, to) => readChunks(file, state.ino, from, to, disk),
  };
}

/** @param text the room's bytes from its beginning, if they are in memory */
function findEpoch(
  fd: number,
  completeBytes: number,
  text: Buffer | undefined,
  disk: Disk,
): string {
  // Before its first complete line a room has none, whatever is being written just now.
  if (completeBytes === 0) return EMPTY_EPOCH;
  return text === undefined ? readEpoch(fd, disk) : toEpoch(text);
}

function toEtag(state: FileState, committedBytes?: number): string {
  const parts = [state.ino, state.size, state.mtimeMs * 4096, state.ctimeMs * 4096];
  if (committedBytes !== undefined) parts.push(committedBytes);
  return `"${parts.map((part) => part.toString(36)).join('-')}"`;
}
