/**
 * Watching a folder of rooms: the system's own notices, and a slow poll of the rooms that somebody
 * reads behind them, for file systems that do not tell (network mounts).
 */
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fromFileStem } from '../../room/name.ts';

/** How often each room that is read is looked at, in milliseconds. */
export const POLL_MS = 900;

/** Where in the rooms' folder the locks are. */
const LOCKS = '.locks';

/** How many rooms are looked at without a break: a look takes about 10 µs. */
const SLICE_ROOMS = 100;

/**
 * Watches until stopped.
 *
 * @param folder the rooms' folder
 * @param rooms the rooms that somebody reads now
 * @param toTag gives a room's entity tag
 * @param onChange told of a room that may have changed
 * @returns stops watching
 */
export function watchFolder(
  folder: string,
  rooms: () => Iterable<string>,
  toTag: (room: string) => string,
  onChange: (room: string) => void,
): () => void {
  // A write shows when its lock goes; until then readers are not shown it.
  const begin = [
    () => tryWatch(folder, '.txt', onChange),
    () => tryWatch(path.join(folder, LOCKS), '.lock', onChange),
  ];
  const watchers = begin.map((start) => start());
  let isStopped = false;
  const tags = new Map<string, string>();
  const poll = async (): Promise<void> => {
    // A watch ends with its folder: look whether there is a new one.
    for (const [index, watcher] of watchers.entries()) {
      if (!watcher.isBroken()) continue;
      watcher.close();
      watchers[index] = begin[index]!();
    }
    const read = new Set(rooms());
    for (const room of tags.keys()) if (!read.has(room)) tags.delete(room);
    let looked = 0;
    for (const room of read) {
      if (++looked % SLICE_ROOMS === 0) await nextTurn();
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
    for (const watcher of watchers) watcher.close();
  };
}

interface FolderWatch {
  isBroken(): boolean;
  close(): void;
}

function tryWatch(
  folder: string,
  ending: '.txt' | '.lock',
  onChange: (room: string) => void,
): FolderWatch {
  let isBroken = false;
  const identity = tryIdentity(folder);
  try {
    const watcher = fs.watch(folder, { persistent: false }, (event, file) => {
      if (typeof file !== 'string' || !file.endsWith(ending)) return;
      // Of a lock only its coming and going counts.
      if (ending === '.lock' && event !== 'rename') return;
      const room = fromFileStem(file.slice(0, -ending.length));
      if (room !== undefined) onChange(room);
    });
    watcher.on('error', () => {
      isBroken = true;
    });
    return {
      isBroken: () => isBroken || tryIdentity(folder) !== identity,
      close: () => watcher.close(),
    };
  } catch {
    return { isBroken: () => true, close: () => undefined };
  }
}

/** A new folder often gets the inode of one just removed, so its time of birth counts as well. */
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
