/** A folder of rooms as `migrate` copies from and to it. */
import fs from 'node:fs';
import path from 'node:path';
import { ServiceError } from '../../errors.ts';
import type { HeldLock } from '../../lock/held-lock.ts';
import { LockFolder } from '../../lock/lock.ts';
import { fromFileStem, toFileStem } from '../../room/name.ts';
import type { Archive } from '../archive.ts';
import type { Snapshot } from '../store.ts';
import { FolderStore, type FolderStoreOptions } from './folder-store.ts';

/** The folder inside the rooms' folder that the locks are in, as the store has it. */
const LOCKS = '.locks';

const ENDING = '.txt';

/** Reads like the store, and writes bytes as they are, under the same locks. */
export class FolderArchive implements Archive {
  readonly description: string;
  readonly #folder: string;
  readonly #store: FolderStore;
  readonly #locks: LockFolder;

  /** @throws the system's error where the folder can't be made or written to */
  constructor(options: FolderStoreOptions) {
    this.#folder = options.folder;
    this.description = options.folder;
    this.#store = new FolderStore(options);
    this.#locks = new LockFolder(path.join(options.folder, LOCKS), {
      onAcquire: () => undefined,
      onBreak: async () => undefined,
    });
  }

  async listRooms(): Promise<{ room: string; sizeBytes: number }[]> {
    const rooms: { room: string; sizeBytes: number }[] = [];
    for (const file of fs.readdirSync(this.#folder).sort()) {
      if (!file.endsWith(ENDING)) continue;
      const room = fromFileStem(file.slice(0, -ENDING.length));
      const stat = fs.statSync(path.join(this.#folder, file), { throwIfNoEntry: false });
      if (room !== undefined && stat?.isFile()) rooms.push({ room, sizeBytes: stat.size });
    }
    return rooms;
  }

  snapshot(room: string): Snapshot | Promise<Snapshot> {
    return this.#store.snapshot(room);
  }

  async extend(room: string, offset: number, bytes: Buffer): Promise<boolean> {
    const stem = toFileStem(room);
    const lock = await this.#locks.acquire(stem);
    const fd = fs.openSync(path.join(this.#folder, `${stem}${ENDING}`), 'a', 0o644);
    try {
      if (fs.fstatSync(fd).size !== offset) return false;
      writeWhole(fd, offset, bytes, lock);
      fs.fdatasyncSync(fd);
      if (offset === 0) syncFolder(this.#folder);
      return true;
    } finally {
      fs.closeSync(fd);
      lock.release();
    }
  }

  async close(): Promise<void> {
    this.#locks.close();
    await this.#store.close();
  }
}

/** Writes all or nothing, as far as the disk lets it. */
function writeWhole(fd: number, offset: number, bytes: Buffer, lock: HeldLock): void {
  lock.publish(offset);
  if (!lock.isHeld()) throw new ServiceError('unavailable', 'the lock was lost; try again');
  try {
    for (let written = 0; written < bytes.length; ) {
      written += fs.writeSync(fd, bytes, written);
    }
  } catch (error) {
    fs.ftruncateSync(fd, offset);
    throw error;
  }
}

/** Makes a new file's name durable (fsync(2)). */
function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
