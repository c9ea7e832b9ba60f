/**
 * Watching a folder of rooms: the system's notices, and behind them a slow poll of the rooms that
 * have subscribers, for file systems that send no notices (network mounts).
 */
import fs from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import { LOCK_SUFFIX } from '../../lock/lock.ts';
import { fromFileStem } from '../../room/name.ts';
import { fromRoomFile } from './room-file.ts';
import type { RoomsFolder } from './rooms-folder.ts';

/** How often each room that has subscribers is polled, in milliseconds. */
export const POLL_MS = 900;

/** How many rooms are polled in one tick: each costs about 10 µs. */
const ROOMS_PER_TICK = 100;

/**
 * Watches a folder until stopped.
 *
 * @returns a function that stops the watch
 */
export function watchFolder(
  folder: Pick<RoomsFolder, 'path' | 'locks'>,
  rooms: () => Iterable<string>,
  toTag: (room: string) => string,
  onChange: (room: string) => void,
): () => void {
  const watches = [
    new NoticeWatch(folder.path, (_, file) => fromRoomFile(file), onChange),
    // A write shows when its lock is released; until then readers are not shown it.
    new NoticeWatch(folder.locks, toReleasedRoom, onChange),
  ];
  const tags = new Map<string, string>();
  let isStopped = false;
  const poll = async (): Promise<void> => {
    for (const watch of watches) watch.repair();
    const wanted = new Set(rooms());
    for (const room of tags.keys()) if (!wanted.has(room)) tags.delete(room);
    let polledCount = 0;
    for (const room of wanted) {
      if (++polledCount % ROOMS_PER_TICK === 0) await nextTick();
      if (isStopped) return;
      const tag = tryTag(room, toTag);
      if (tag !== tags.get(room)) onChange(room);
      tags.set(room, tag);
    }
    timer = setTimeout(() => void poll(), POLL_MS).unref();
  };
  let timer = setTimeout(() => void poll(), POLL_MS).unref();
  return () => {
    isStopped = true;
    clearTimeout(timer);
    for (const watch of watches) watch.close();
  };
}

/** @returns the room whose lock was made or removed; readers don't see writes into a lock */
function toReleasedRoom(event: string, file: string): string | undefined {
  if (event !== 'rename' || !file.endsWith(LOCK_SUFFIX)) return undefined;
  return fromFileStem(file.slice(0, -LOCK_SUFFIX.length));
}

/** Finds the room that a notice is about, if any. */
type ToRoom = (event: string, file: string) => string | undefined;

/** The system's notices of one folder, which end with the folder and have to be asked for again. */
class NoticeWatch {
  readonly #folder: string;
  readonly #toRoom: ToRoom;
  readonly #onChange: (room: string) => void;
  #identity: string | undefined;
  #watcher: fs.FSWatcher | undefined;

  constructor(folder: string, toRoom: ToRoom, onChange: (room: string) => void) {
    this.#folder = folder;
    this.#toRoom = toRoom;
    this.#onChange = onChange;
    this.#start();
  }

  /** Starts again if the folder was removed or replaced, or the system failed. */
  repair(): void {
    if (this.#watcher !== undefined && tryIdentity(this.#folder) === this.#identity) return;
    this.close();
    this.#start();
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #start(): void {
    this.#identity = tryIdentity(this.#folder);
    try {
      const watcher = fs.watch(this.#folder, { persistent: false }, (event, file) => {
        const room = typeof file === 'string' ? this.#toRoom(event, file) : undefined;
        if (room !== undefined) this.#onChange(room);
      });
      watcher.on('error', () => this.close());
      this.#watcher = watcher;
    } catch {
      // The poll tries again, and reports the rooms that have subscribers meanwhile.
    }
  }
}

/** A new folder often gets the inode of one just removed, so the time of birth counts as well. */
function tryIdentity(folder: string): string | undefined {
  try {
    const { ino, birthtimeMs } = fs.statSync(folder);
    return `${ino} ${birthtimeMs}`;
  } catch {
    return undefined;
  }
}

function tryTag(room: string, toTag: (room: string) => string): string {
  try {
    return toTag(room);
  } catch {
    return '';
  }
}
