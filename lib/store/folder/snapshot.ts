/**
 * Views of rooms on a folder: what a reader may see now, and the entity tag of it.
 *
 * What lies beyond a lock's base is not committed, so a reader is not shown it. A room is settled
 * when nobody holds its lock: then all of it is shown, a last line without LF too.
 *
 * Hot rooms are remembered, and every answer from memory is validated by the file's state (inode,
 * size and both times), so no process ever serves a stale room.
 */
import path from 'node:path';
import { type Disk, realDisk } from '../../disk/disk.ts';
import { tryClose } from '../../disk/files.ts';
import type { LockFolder } from '../../lock/lock.ts';
import { EMPTY_EPOCH, toEpoch } from '../../room/cursor.ts';
import { toFileStem } from '../../room/name.ts';
import { LF } from '../../room/text.ts';
import type { Snapshot } from '../store.ts';
import {
  findLastBreak,
  type Opened,
  openPlain,
  readAt,
  readChunks,
  readEpoch,
} from './room-file.ts';
import { isSameState, SnapshotCache, type State } from './snapshot-cache.ts';

/** The largest room that is kept in memory as a whole, in bytes. */
export const MAX_TEXT_BYTES = 256 << 10;

/** How much is kept of the end of a larger one, in bytes: where readers come in, and what is new. */
export const TAIL_BYTES = 64 << 10;

/** How long one lock must be seen until somebody looks whether its owner is dead. */
const SUSPECT_MS = 500;

/** How often a view is begun again because the file changed meanwhile. */
const MAX_TRIES = 8;

const EMPTY: Snapshot = {
  etag: '"empty"',
  sizeBytes: 0,
  completeBytes: 0,
  epoch: EMPTY_EPOCH,
  isSettled: true,
  tail: Buffer.alloc(0),
  async *read() {},
};

/** The views of one folder's rooms. */
export class Snapshots {
  readonly #folder: string;
  readonly #locks: LockFolder;
  readonly #onStuck: (room: string) => void;
  readonly #disk: Disk;
  readonly #cache = new SnapshotCache();
  readonly #suspects = new Map<string, { identity: string; sinceMs: number }>();

  /**
   * @param folder where the rooms are
   * @param locks their locks
   * @param onStuck told of a room whose lock a dead owner may have left behind
   */
  constructor(
    folder: string,
    locks: LockFolder,
    onStuck: (room: string) => void,
    disk: Disk = realDisk,
  ) {
    this.#folder = folder;
    this.#locks = locks;
    this.#onStuck = onStuck;
    this.#disk = disk;
  }

  /** Gives the room's entity tag; opens nothing. */
  etag(room: string): string {
    const state = this.#disk.statSync(this.#toFile(room), { throwIfNoEntry: false });
    if (state === undefined) return EMPTY.etag;
    const known = this.#cache.get(room, state);
    if (known !== undefined) return known.etag;
    const committedBytes = this.#toBase(room, state);
    if (committedBytes === undefined) return toEtag(state);
    return (
      this.#cache.getCommitted(room, state, committedBytes)?.etag ?? toEtag(state, committedBytes)
    );
  }

  /** Gives the room as it stands. */
  snapshot(room: string): Snapshot {
    const file = this.#toFile(room);
    for (let tries = 1; ; tries += 1) {
      const state = this.#disk.statSync(file, { throwIfNoEntry: false });
      if (state === undefined) return EMPTY;
      const known = this.#cache.get(room, state);
      if (known !== undefined) return known;
      const view = this.#tryLook(room, file, tries >= MAX_TRIES);
      if (view !== undefined) return view;
    }
  }

  /** @returns `undefined` where the file changed in the middle of the look */
  #tryLook(room: string, file: string, isLast: boolean): Snapshot | undefined {
    const opened = openPlain(file, this.#disk);
    if (opened === undefined) return undefined;
    try {
      return this.#look(room, opened, file, isLast);
    } finally {
      tryClose(opened.fd, this.#disk);
    }
  }

  #look(room: string, opened: Opened, file: string, isLast: boolean): Snapshot | undefined {
    const { fd, state } = opened;
    const committedBytes = this.#toBase(room, state);
    if (committedBytes !== undefined) {
      const base = this.#cache.getCommitted(room, state, committedBytes);
      if (base !== undefined) return { ...base, isSettled: false };
      // All of it is committed only if nobody wrote between the look at the size and that at the lock.
      const isSure =
        committedBytes < state.size || isLast || isSameState(state, this.#disk.fstatSync(fd));
      return isSure ? toView(fd, file, state, committedBytes, this.#disk) : undefined;
    }
    const view = toView(fd, file, state, undefined, this.#disk);
    // A write may have been going on from before the look at the size to before that at the lock.
    if (view !== undefined && isSameState(state, this.#disk.fstatSync(fd))) {
      this.#cache.set(room, state, view);
      return view;
    }
    // In a room that never stands still, what was there at the look at the lock is committed.
    return isLast ? toView(fd, file, state, state.size, this.#disk) : undefined;
  }

  /** @returns how much of the file is committed; `undefined` while nobody holds the lock */
  #toBase(room: string, state: State): number | undefined {
    const holder = this.#locks.read(toFileStem(room));
    if (holder === undefined) {
      if (this.#suspects.size > 0) this.#suspects.delete(room);
      return undefined;
    }
    this.#suspect(room, holder.identity);
    return Math.min(state.size, holder.committedBytes ?? state.size);
  }

  #suspect(room: string, identity: string): void {
    const suspect = this.#suspects.get(room);
    const nowMs = performance.now();
    if (suspect?.identity !== identity) {
      if (this.#suspects.size >= 10_000) this.#suspects.clear();
      this.#suspects.set(room, { identity, sinceMs: nowMs });
    } else if (nowMs - suspect.sinceMs > SUSPECT_MS) {
      suspect.sinceMs = Number.POSITIVE_INFINITY;
      this.#onStuck(room);
    }
  }

  #toFile(room: string): string {
    return `${this.#folder}${path.sep}${toFileStem(room)}.txt`;
  }
}

/** @returns `undefined` where the file has been cut since the look at its state */
function toView(
  fd: number,
  file: string,
  state: State,
  committedBytes: number | undefined,
  disk: Disk,
): Snapshot | undefined {
  const endBytes = committedBytes ?? state.size;
  const startBytes = endBytes <= MAX_TEXT_BYTES ? 0 : endBytes - TAIL_BYTES;
  const read = readAt(fd, startBytes, endBytes - startBytes, disk);
  if (startBytes + read.length < endBytes) return undefined;
  const lastBreak = read.lastIndexOf(LF);
  const completeBytes =
    lastBreak === -1 ? findLastBreak(fd, startBytes, disk) : startBytes + lastBreak + 1;
  const sizeBytes = committedBytes === undefined ? endBytes : completeBytes;
  return {
    etag: toEtag(state, committedBytes),
    sizeBytes,
    completeBytes,
    epoch: findEpoch(fd, completeBytes, startBytes === 0 ? read : undefined, disk),
    isSettled: committedBytes === undefined,
    // Of a half line that is larger than the tail, nothing is left that could be shown.
    tail: read.subarray(0, Math.max(0, sizeBytes - startBytes)),
    read: (from, to) => readChunks(file, state.ino, from, to, disk),
  };
}

/** @param text the room's bytes from its beginning, where they are at hand */
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

function toEtag(state: State, committedBytes?: number): string {
  const parts = [state.ino, state.size, state.mtimeMs * 4096, state.ctimeMs * 4096];
  if (committedBytes !== undefined) parts.push(committedBytes);
  return `"${parts.map((part) => part.toString(36)).join('-')}"`;
}
