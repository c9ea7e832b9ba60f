/** The rooms' folder itself: made where it is missing, made durable, and probed. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Disk } from '../../disk/disk.ts';
import { syncFolder, syncFoldersAbove } from '../../disk/durability.ts';
import { toErrno } from '../../errors.ts';

/** The folder inside the rooms' folder that has the locks. */
export const LOCKS_FOLDER = '.locks';

/** The folder inside the rooms' folder that has the journals. */
const JOURNALS_FOLDER = '.journal';

/** The folder inside the rooms' folder that has lines that no longer fit their room after a power loss. */
const RECOVERED_FOLDER = '.recovered';

/** A block of the disk, in bytes: what a probe writes. */
const PROBE_BYTES = 4096;

/** The folder of one store. */
export class RoomsFolder {
  readonly path: string;
  /** The path of the locks' folder. */
  readonly locks: string;
  /** The path of the journals' folder. */
  readonly journals: string;
  /** The path of the folder of lines that no longer fit their room. */
  readonly recovered: string;
  readonly #disk: Disk;
  readonly #onUnsyncable: (error: unknown) => void;
  /** Whether names above the folder are durable, once somebody asked. */
  #ownNameSynced: Promise<void> | undefined;
  #isUnsyncableTold = false;
  #lastSync: Promise<void> = Promise.resolve();
  #nextSync: Promise<void> | undefined;

  /**
   * @param onUnsyncable told once, with the system's error, if this process can't sync the folder
   */
  constructor(folder: string, disk: Disk, onUnsyncable: (error: unknown) => void) {
    this.path = folder;
    this.locks = path.join(folder, LOCKS_FOLDER);
    this.journals = path.join(folder, JOURNALS_FOLDER);
    this.recovered = path.join(folder, RECOVERED_FOLDER);
    this.#disk = disk;
    this.#onUnsyncable = onUnsyncable;
  }

  /**
   * Makes the folder and the locks' folder where they are missing.
   *
   * @throws the system's error, which names this process's user if it lacks the right
   */
  make(): void {
    try {
      const isThere = this.#disk.existsSync(this.locks);
      this.#disk.mkdirSync(this.locks, { recursive: true });
      if (!isThere) this.#ownNameSynced = undefined;
    } catch (error) {
      throw withUser(error);
    }
  }

  /** Makes the folder's own name durable, which a message in it needs before it is acknowledged. */
  async syncOwnName(): Promise<void> {
    this.#ownNameSynced ??= syncFoldersAbove(this.path, this.#disk);
    try {
      await this.#ownNameSynced;
    } catch (error) {
      this.#ownNameSynced = undefined;
      throw error;
    }
  }

  /** Makes the names of new rooms durable. All who ask before a sync begins share it. */
  syncRoomNames(): Promise<void> {
    this.#nextSync ??= this.#lastSync.then(() => {
      this.#nextSync = undefined;
      const sync = this.#syncNames();
      this.#lastSync = sync.catch(() => undefined);
      return sync;
    });
    return this.#nextSync;
  }

  #syncNames(): Promise<void> {
    return syncFolder(this.path, this.#disk, (error) => {
      if (!this.#isUnsyncableTold) this.#onUnsyncable(error);
      this.#isUnsyncableTold = true;
    });
  }

  /**
   * Does what the first message of a room needs: makes, writes and syncs a file among the rooms,
   * syncs the folder, and makes a file among the locks. Leaves nothing behind.
   *
   * @throws the system's error if the disk takes no such write
   */
  async probe(): Promise<void> {
    // Only if somebody removed the folder: then a message would make it anew as well.
    this.make();
    const name = `.${randomBytes(8).toString('hex')}.probe`;
    await this.#probeFile(path.join(this.path, name), true);
    await this.syncRoomNames();
    await this.#probeFile(path.join(this.locks, name), false);
  }

  async #probeFile(file: string, isSynced: boolean): Promise<void> {
    const handle = await this.#disk.open(file, 'wx');
    try {
      // At once: so a process that dies here leaves nothing either.
      await this.#disk.unlink(file);
      if (!isSynced) return;
      await handle.write(Buffer.alloc(PROBE_BYTES));
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
}

/** Names the user whose rights did not suffice, as that is what an administrator asks first. */
function withUser(error: unknown): unknown {
  const errno = toErrno(error);
  if ((errno !== 'EACCES' && errno !== 'EPERM') || process.geteuid === undefined) return error;
  (error as Error).message += `; the service runs as user id ${process.geteuid()}`;
  return error;
}
