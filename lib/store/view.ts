/**
 * Views of rooms on a folder: what a reader may see now, and the entity tag of it.
 *
 * What lies beyond a lock's base is not committed, so a reader is not shown it. A room is settled
 * when nobody holds its lock: then all of it is shown, a last line without LF too.
 *
 * Hot rooms are remembered, and every answer from memory is validated by the file's state (inode,
 * size and both times), so no process ever serves a stale room.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ServiceError } from '../errors.ts';
import { EMPTY_EPOCH } from '../room/cursor.ts';
import { toFileStem } from '../room/name.ts';
import { findLastBreak, readAt, readEpoch } from './bytes.ts';
import type { LockFolder } from './lock.ts';
import { STALE_MS } from './lock-file.ts';
import type { RoomView } from './store.ts';
import { isSameState, type State, ViewCache } from './view-cache.ts';

/** The largest room that is kept in memory as a whole, in bytes. */
export const MAX_TEXT_BYTES = 256 << 10;

/** How much of a larger room is read at a time, in bytes. */
const CHUNK_BYTES = 128 << 10;

/** How often a view is begun again because the file changed meanwhile. */
const MAX_TRIES = 8;

const EMPTY: RoomView = {
  etag: '"empty"',
  sizeBytes: 0,
  completeBytes: 0,
  epoch: EMPTY_EPOCH,
  isSettled: true,
  text: Buffer.alloc(0),
  async *read() {},
};

/** The views of one folder's rooms. */
export class Views {
  readonly #folder: string;
  readonly #locks: LockFolder;
  readonly #onStuck: (room: string) => void;
  readonly #cache = new ViewCache();
  readonly #suspects = new Map<string, { identity: string; sinceMs: number }>();

  /**
   * @param folder where the rooms are
   * @param locks their locks
   * @param onStuck told of a room whose lock a dead owner left behind
   */
  constructor(folder: string, locks: LockFolder, onStuck: (room: string) => void) {
    this.#folder = folder;
    this.#locks = locks;
    this.#onStuck = onStuck;
  }

  /** Gives the room's entity tag; opens nothing. */
  etag(room: string): string {
    const state = fs.statSync(this.#toFile(room), { throwIfNoEntry: false });
    if (state === undefined) return EMPTY.etag;
    const known = this.#cache.get(room, state);
    if (known !== undefined) return known.etag;
    const baseBytes = this.#toBase(room, state);
    if (baseBytes === undefined) return toEtag(state);
    return this.#cache.getBase(room, state, baseBytes)?.etag ?? toEtag(state, baseBytes);
  }

  /** Gives the room as it stands. */
  view(room: string): RoomView {
    const file = this.#toFile(room);
    for (let tries = 1; ; tries += 1) {
      const state = fs.statSync(file, { throwIfNoEntry: false });
      if (state === undefined) return EMPTY;
      const known = this.#cache.get(room, state);
      if (known !== undefined) return known;
      const view = this.#look(room, file, tries === MAX_TRIES);
      if (view !== undefined) return view;
    }
  }

  /** @returns `undefined` where the file changed in the middle of the look */
  #look(room: string, file: string, isLast: boolean): RoomView | undefined {
    const fd = openPlain(file);
    if (fd === undefined) return undefined;
    try {
      const state = fs.fstatSync(fd);
      const baseBytes = this.#toBase(room, state);
      if (baseBytes !== undefined) {
        const base = this.#cache.getBase(room, state, baseBytes);
        return base === undefined
          ? toView(fd, file, state, baseBytes)
          : { ...base, isSettled: false };
      }
      const view = toView(fd, file, state, undefined);
      // A write may have been going on from before the look at the size to before that at the lock.
      if (isSameState(state, fs.fstatSync(fd))) {
        this.#cache.set(room, state, view);
        return view;
      }
      return isLast && view.completeBytes === view.sizeBytes ? view : undefined;
    } finally {
      fs.closeSync(fd);
    }
  }

  /** @returns how much of the file is committed; `undefined` while nobody holds the lock */
  #toBase(room: string, state: State): number | undefined {
    const holder = this.#locks.look(toFileStem(room));
    if (holder === undefined) {
      if (this.#suspects.size > 0) this.#suspects.delete(room);
      return undefined;
    }
    this.#suspect(room, holder.identity);
    return Math.min(state.size, holder.baseBytes ?? state.size);
  }

  #suspect(room: string, identity: string): void {
    const suspect = this.#suspects.get(room);
    const nowMs = performance.now();
    if (suspect?.identity !== identity) {
      if (this.#suspects.size >= 10_000) this.#suspects.clear();
      this.#suspects.set(room, { identity, sinceMs: nowMs });
    } else if (nowMs - suspect.sinceMs > STALE_MS) {
      suspect.sinceMs = Number.POSITIVE_INFINITY;
      this.#onStuck(room);
    }
  }

  #toFile(room: string): string {
    return path.join(this.#folder, `${toFileStem(room)}.txt`);
  }
}

function toView(fd: number, file: string, state: State, baseBytes: number | undefined): RoomView {
  const completeBytes = findLastBreak(fd, baseBytes ?? state.size);
  const sizeBytes = baseBytes === undefined ? state.size : completeBytes;
  return {
    etag: toEtag(state, baseBytes),
    sizeBytes,
    completeBytes,
    epoch: readEpoch(fd),
    isSettled: baseBytes === undefined,
    text: sizeBytes <= MAX_TEXT_BYTES ? readWhole(fd, sizeBytes) : undefined,
    read: (from, to) => readChunks(file, state.ino, from, to),
  };
}

function readWhole(fd: number, sizeBytes: number): Buffer {
  const text = readAt(fd, 0, sizeBytes);
  if (text.length < sizeBytes) throw toCutError();
  return text;
}

/** Opens the file anew for every chunk: however many slow readers there are, no handle waits. */
async function* readChunks(
  file: string,
  inode: number,
  from: number,
  to: number,
): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, to - from));
  for (let at = from; at < to; ) {
    const length = Math.min(buffer.length, to - at);
    const handle = await fs.promises.open(file, 'r');
    try {
      if ((await handle.stat()).ino !== inode) throw toCutError();
      const { bytesRead } = await handle.read(buffer, 0, length, at);
      if (bytesRead === 0) throw toCutError();
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    } finally {
      await handle.close();
    }
  }
}

function openPlain(file: string): number | undefined {
  // O_NONBLOCK: a pipe that somebody put there must not hold up the process.
  const fd = fs.openSync(file, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0));
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  throw new ServiceError('unavailable', 'the room is not a plain file');
}

function toEtag(state: State, baseBytes?: number): string {
  const parts = [state.ino, state.size, state.mtimeMs * 4096, state.ctimeMs * 4096];
  if (baseBytes !== undefined) parts.push(baseBytes);
  return `"${parts.map((part) => part.toString(36)).join('-')}"`;
}

function toCutError(): ServiceError {
  return new ServiceError(
    'unavailable',
    'the room was cut or replaced while it was read; try again',
  );
}
