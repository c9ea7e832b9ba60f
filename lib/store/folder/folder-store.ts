/** The folder store: one text file per room, `cat`, `tail -f` and editors welcome. */
import path from 'node:path';
import { type Disk, realDisk } from '../../disk/disk.ts';
import {
  makeWritesDurable,
  probeFolder,
  syncFolder,
  syncFoldersAbove,
} from '../../disk/durability.ts';
import { toErrno, toServiceError } from '../../errors.ts';
import type { HeldLock } from '../../lock/held-lock.ts';
import { LockFolder } from '../../lock/lock.ts';
import type { Log } from '../../ops/log.ts';
import type { Registry } from '../../ops/metrics.ts';
import type { Entry } from '../../room/message.ts';
import { toFileStem } from '../../room/name.ts';
import { type Commit, GroupCommit } from '../group-commit.ts';
import { Outage } from '../outage.ts';
import { Readiness } from '../readiness.ts';
import type { OnExpected, Receipt, Snapshot, Store } from '../store.ts';
import { createStoreMetrics, type StoreMetrics } from '../store-metrics.ts';
import { type AppendOptions, appendBatch } from './append.ts';
import { InheritedLocks } from './inherited.ts';
import { OpenFiles } from './open-files.ts';
import { OwnWrites } from './own-writes.ts';
import { Snapshots } from './snapshot.ts';
import { watchFolder } from './watch.ts';

/** The folder inside the rooms' folder that the locks are in. */
const LOCKS = '.locks';

/** What a folder store is made of. */
export interface FolderStoreOptions {
  /** The rooms' folder, an absolute path. */
  readonly folder: string;
  /** Whether a message is acknowledged only when it is on disk. */
  readonly durable: boolean;
  readonly log: Log;
  readonly registry: Registry;
  /** The disk; the system's own unless told. */
  readonly disk?: Disk;
}

/** Rooms as files in a folder that any number of processes share. */
export class FolderStore implements Store {
  readonly description: string;
  readonly #folder: string;
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #locks: LockFolder;
  readonly #inherited: InheritedLocks;
  readonly #views: Snapshots;
  readonly #queue: GroupCommit;
  readonly #append: AppendOptions;
  readonly #count: StoreMetrics;
  readonly #ownWrites = new OwnWrites();
  #foldersSynced: Promise<void> | undefined;
  #isWarned = false;
  readonly #reading: Outage;
  readonly #writing: Outage;
  readonly #readiness = new Readiness(() => this.#probe());

  /**
   * Opens a folder, making it where it is missing.
   *
   * @throws the system's error where the folder can't be made or written to
   */
  constructor(options: FolderStoreOptions) {
    this.#folder = options.folder;
    this.#disk = options.disk ?? realDisk;
    this.description = options.folder;
    this.#log = options.log;
    this.#reading = new Outage(options.log, 'reading the folder');
    this.#writing = new Outage(options.log, 'writing to the folder');
    this.#makeFolders();
    const count = createStoreMetrics(options.registry);
    this.#count = count;
    this.#append = {
      durable: options.durable,
      onSync: (syncMs) => count.syncs.observe(syncMs / 1000),
      onUnsyncable: (error) => this.#warnUnsyncable(error),
      onLeftover: (error) => options.log.error('a refused write could not be cut back', { error }),
      disk: this.#disk,
      files: new OpenFiles(options.folder, this.#disk),
    };
    const events = {
      onAcquire: (waitMs: number): void => count.lockWaits.observe(waitMs / 1000),
      onBreak: (name: string, committedBytes: number | undefined): Promise<void> =>
        this.#onBreak(name, committedBytes),
    };
    this.#locks = new LockFolder(path.join(options.folder, LOCKS), events, this.#disk);
    this.#locks.sweep();
    this.#inherited = new InheritedLocks(this.#locks);
    this.#queue = new GroupCommit(this.#commit);
    const onStuck = (room: string): void => void this.#freeStuck(room);
    this.#views = new Snapshots(options.folder, this.#locks, onStuck, this.#disk);
  }

  append(room: string, entry: Entry, onExpected?: OnExpected): Promise<Receipt> {
    return this.#queue.append(room, entry, onExpected);
  }

  etag(room: string): string | Promise<string> {
    return this.#look(room, () => this.#views.etag(room));
  }

  snapshot(room: string): Snapshot | Promise<Snapshot> {
    return this.#look(room, () => this.#views.snapshot(room));
  }

  watch(rooms: () => Iterable<string>, onChange: (room: string) => void): () => void {
    const toTag = (room: string): string => this.#views.etag(room);
    return watchFolder(this.#folder, rooms, toTag, this.#ownWrites.filter(onChange));
  }

  check(): Promise<void> {
    return this.#readiness.check();
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    this.#append.files.close();
    this.#locks.close();
  }

  readonly #commit: Commit = async (room, entries, onExpected) => {
    const stem = toFileStem(room);
    try {
      const lock = await this.#acquire(stem);
      let isStored = false;
      this.#ownWrites.begin(room);
      try {
        await this.#syncFoldersAbove();
        const file = `${this.#folder}${path.sep}${stem}.txt`;
        const receipts = await appendBatch(file, lock, entries, { ...this.#append, onExpected });
        this.#countBatch(receipts);
        isStored = true;
        this.#writing.noteSuccess();
        this.#readiness.noteWrite();
        return receipts;
      } finally {
        // Not before readers see it is a message acknowledged.
        await lock.release();
        this.#ownWrites.end(room, isStored);
      }
    } catch (error) {
      throw this.#toServiceError(error, this.#writing);
    }
  };

  async #probe(): Promise<void> {
    try {
      this.#makeFolders();
      await probeFolder(this.#folder, LOCKS, this.#disk);
      this.#writing.noteSuccess();
    } catch (error) {
      throw this.#toServiceError(error, this.#writing);
    }
  }

  /** Takes the room's lock, in a folder made anew where somebody removed it. */
  async #acquire(stem: string): Promise<HeldLock> {
    try {
      return await this.#locks.acquire(stem);
    } catch (error) {
      if (toErrno(error) !== 'ENOENT') throw error;
      this.#makeFolders();
      return this.#locks.acquire(stem);
    }
  }

  #makeFolders(): void {
    const locks = path.join(this.#folder, LOCKS);
    const areThere = this.#disk.existsSync(locks);
    this.#disk.mkdirSync(locks, { recursive: true });
    if (!areThere) this.#foldersSynced = undefined;
  }

  /** Makes the folder's own name durable, before the first message in it is acknowledged. */
  async #syncFoldersAbove(): Promise<void> {
    if (!this.#append.durable) return;
    this.#foldersSynced ??= syncFoldersAbove(this.#folder, this.#disk);
    try {
      await this.#foldersSynced;
    } catch (error) {
      this.#foldersSynced = undefined;
      throw error;
    }
  }

  /** Makes durable what the owner of a stale lock wrote, before readers are shown it. */
  async #onBreak(name: string, committedBytes: number | undefined): Promise<void> {
    this.#count.broken.add();
    this.#log.warn('breaking a stale lock', { file: name });
    if (!this.#append.durable) return;
    await this.#syncFoldersAbove();
    await makeWritesDurable(path.join(this.#folder, `${name}.txt`), committedBytes, this.#disk);
    await syncFolder(this.#folder, this.#disk, this.#append.onUnsyncable);
  }

  #warnUnsyncable(error: unknown): void {
    if (this.#isWarned) return;
    this.#isWarned = true;
    this.#log.warn('the folder can’t be synced: a power loss may take a new room', { error });
  }

  /** Frees a room whose writer died, though nobody writes to it now. */
  async #freeStuck(room: string): Promise<void> {
    try {
      await (await this.#acquire(toFileStem(room))).release();
    } catch (error) {
      this.#log.warn('a dead writer still holds a room', { room, error });
    }
  }

  #countBatch(receipts: readonly Receipt[]): void {
    this.#count.batches.observe(receipts.length);
    this.#count.messages.add(receipts.length);
    this.#count.bytes.add(receipts.reduce((sum, { line }) => sum + Buffer.byteLength(line), 0));
  }

  #look<T>(room: string, look: () => T): T | Promise<T> {
    try {
      return this.#inherited.has(toFileStem(room)) ? this.#lookLater(room, look) : look();
    } catch (error) {
      throw this.#toServiceError(error, this.#reading);
    }
  }

  /** Looks once it is known whether the room's lock is a living one. */
  async #lookLater<T>(room: string, look: () => T): Promise<T> {
    try {
      await (await this.#acquire(toFileStem(room))).release();
      return look();
    } catch (error) {
      throw this.#toServiceError(error, this.#reading);
    }
  }

  /** The system's errors become a refusal with their code; everything else is a bug and stays. */
  #toServiceError(error: unknown, outage: Outage): unknown {
    const refusal = toServiceError(error);
    if (refusal !== error) {
      this.#count.errors.add();
      outage.noteFailure(error);
      if (outage === this.#writing) this.#readiness.noteFailure();
    }
    return refusal;
  }
}
