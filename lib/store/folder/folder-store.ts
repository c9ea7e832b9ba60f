/**
 * The folder store: one text file a room, which `cat`, `tail -f` and editors understand.
 *
 * Any number of processes, on any number of hosts, may share a folder. Each room has an advisory
 * lock; whoever writes holds it, and readers see what was committed before. Nothing else is shared,
 * so a process may be killed at any moment. The promises are those of every store (../store.ts).
 */
import { BoundedMap } from '../../bounded-map.ts';
import { type Disk, realDisk } from '../../disk/disk.ts';
import { makeWritesDurable } from '../../disk/durability.ts';
import { ServiceError, toErrno, toServiceError } from '../../errors.ts';
import type { JournalLimits } from '../../journal/segment.ts';
import type { HeldLock } from '../../lock/held-lock.ts';
import { LockFolder } from '../../lock/lock.ts';
import type { Log } from '../../ops/log.ts';
import type { Registry } from '../../ops/metrics.ts';
import type { SentCursor } from '../../room/cursor.ts';
import type { Entry } from '../../room/message.ts';
import { fromFileStem, toFileStem } from '../../room/name.ts';
import { GroupCommit } from '../group-commit.ts';
import { Outage } from '../outage.ts';
import { Readiness } from '../readiness.ts';
import { isStored, type Outcome, type Post } from '../repeats.ts';
import type { Receipt, Snapshot, Store } from '../store.ts';
import { countBatch, createStoreMetrics, type StoreMetrics } from '../store-metrics.ts';
import { type AppendOptions, appendBytes, appendMessages } from './append.ts';
import { JournalRecovery, type Recovered } from './journal-recovery.ts';
import { Recovery } from './recovery.ts';
import { fromRoomFile, toRoomFile } from './room-file.ts';
import { RoomSync, type SyncEvents } from './room-sync.ts';
import { RoomsFolder } from './rooms-folder.ts';
import { Snapshots } from './snapshot.ts';
import { watchFolder } from './watch.ts';

export type { Recovered } from './journal-recovery.ts';

/** What a folder store is made of. */
export interface FolderStoreOptions {
  /** The rooms' folder, an absolute path. */
  readonly folder: string;
  /** Whether a message is acknowledged only when it is on disk. */
  readonly durable: boolean;
  readonly log: Log;
  readonly registry: Registry;
  /** The file system; the real one unless a test replaces it. */
  readonly disk?: Disk;
  /** Other limits of the journal than the usual ones, so that a test sees what they bring about. */
  readonly journalLimits?: Partial<JournalLimits> & { readonly quietMs?: number };
}

/** Rooms as files in a folder. */
export class FolderStore implements Store {
  readonly description: string;
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #metrics: StoreMetrics;
  readonly #folder: RoomsFolder;
  readonly #locks: LockFolder;
  readonly #journals: JournalRecovery;
  readonly #recovery: Recovery;
  readonly #snapshots: Snapshots;
  readonly #isDurable: boolean;
  readonly #sync: RoomSync;
  readonly #append: AppendOptions;
  readonly #queue = new GroupCommit((room, posts) => this.#commit(room, posts));
  readonly #readiness = new Readiness(() => this.#probe());
  readonly #reads: Outage;
  readonly #writes: Outage;
  /** Rooms whose own file is at fault, as far as the log has it. */
  readonly #reported = new BoundedMap<string, true>({ maxEntries: 10_000 });
  /** The rooms that this process is writing to. */
  readonly #writing = new Set<string>();
  readonly #watchers = new Set<(room: string) => void>();

  /**
   * Opens a folder, and makes it if it is missing. Recovery goes on behind that.
   *
   * @throws ServiceError `bad-request` if it is not to be durable and was not recovered since a power
   *   loss; the system's error if the folder can't be made
   */
  constructor(options: FolderStoreOptions) {
    const { folder, durable, log, registry, disk = realDisk, journalLimits: limits } = options;
    this.description = folder;
    this.#disk = disk;
    this.#log = log;
    this.#isDurable = durable;
    this.#metrics = createStoreMetrics(registry);
    this.#reads = new Outage(log, 'reading the folder');
    this.#writes = new Outage(log, 'writing to the folder');
    this.#folder = new RoomsFolder(folder, disk, (error) => {
      log.warn("the folder can't be synced: a power loss may take new rooms", { error });
    });
    this.#folder.make();
    this.#sync = new RoomSync(this.#folder, durable, this.#syncEvents, disk, limits);
    this.#append = {
      disk,
      sync: this.#sync,
      onLeftover: (error) => log.error('a failed write could not be truncated', { error }),
    };
    const events = {
      onAcquire: (waitMs: number): void => this.#metrics.lockWaits.observe(waitMs / 1000),
      onBreak: (name: string, committedBytes: number | undefined): Promise<void> =>
        this.#onBreak(name, committedBytes),
    };
    this.#locks = new LockFolder(this.#folder.locks, events, disk);
    const { origin } = this.#sync;
    const quietMs = limits?.quietMs;
    const parts = { folder: this.#folder, locks: this.#locks, origin, log, disk, quietMs };
    this.#journals = new JournalRecovery(parts);
    if (!durable && this.#journals.isNeeded()) {
      const what = 'the host lost power, and the rooms lack what only .journal has';
      const how = `run first: node dist/server.js recover ${folder}`;
      throw new ServiceError('bad-request', `CHAT_DURABILITY=memory: ${what}; ${how}`);
    }
    this.#recovery = new Recovery(this.#locks, this.#journals, (error) => {
      log.warn('leftover locks are judged room by room', { error });
    });
    const onSuspect = (room: string): void => void this.#breakIfStale(room);
    this.#snapshots = new Snapshots(folder, this.#locks, onSuspect, disk);
  }

  /**
   * Resolves when the folder is recovered.
   *
   * @returns what was put right
   * @throws ServiceError `unavailable` if the journals can't be replayed
   */
  async recover(): Promise<Recovered> {
    try {
      await this.#recovery.wait();
      return this.#journals.recovered;
    } catch (error) {
      throw this.#refuse(error, this.#writes);
    }
  }

  append(room: string, entry: Entry, since?: SentCursor): Promise<Receipt> {
    return this.#queue.append(room, entry, since);
  }

  etag(room: string): Promise<string> {
    return this.#read(room, () => this.#snapshots.etag(room));
  }

  snapshot(room: string): Promise<Snapshot> {
    return this.#read(room, () => this.#snapshots.snapshot(room));
  }

  watch(rooms: () => Iterable<string>, onChange: (room: string) => void): () => void {
    const toTag = (room: string): string => this.#snapshots.etag(room);
    // Of what this process is writing there is nothing to be seen yet; #write reports it.
    const onNotice = (room: string): void => {
      if (!this.#writing.has(room)) onChange(room);
    };
    const stop = watchFolder(this.#folder, rooms, toTag, onNotice);
    this.#watchers.add(onChange);
    return () => {
      this.#watchers.delete(onChange);
      stop();
    };
  }

  async check(): Promise<void> {
    await this.recover();
    await this.#readiness.check();
  }

  async listRooms(): Promise<{ room: string; sizeBytes: number }[]> {
    const rooms: { room: string; sizeBytes: number }[] = [];
    for (const name of this.#disk.readdirSync(this.#folder.path).sort()) {
      const room = fromRoomFile(name);
      if (room === undefined) continue;
      const file = toRoomFile(this.#folder.path, room);
      const stat = this.#disk.statSync(file, { throwIfNoEntry: false });
      if (stat?.isFile()) rooms.push({ room, sizeBytes: stat.size });
    }
    return rooms;
  }

  extend(room: string, offset: number, bytes: Buffer): Promise<boolean> {
    return this.#write(room, (file, lock) => appendBytes(file, lock, offset, bytes, this.#append));
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    await this.#sync.close();
    this.#locks.close();
  }

  async #commit(room: string, posts: readonly Post[]): Promise<Outcome[]> {
    const outcomes = await this.#write(room, (file, lock) =>
      appendMessages(file, lock, posts, this.#append),
    );
    if (countBatch(this.#metrics, outcomes.filter(isStored))) this.#readiness.noteWrite();
    return outcomes;
  }

  /** Does a piece of work on a room's file under its lock, and reports the room afterwards. */
  async #write<T>(room: string, work: (file: string, lock: HeldLock) => Promise<T>): Promise<T> {
    try {
      await this.#recovery.wait();
      const lock = await this.#acquire(toFileStem(room));
      this.#writing.add(room);
      try {
        if (this.#isDurable) await this.#folder.syncOwnName();
        const result = await work(toRoomFile(this.#folder.path, room), lock);
        this.#writes.noteSuccess();
        return result;
      } finally {
        // A message must be there for every reader before it is acknowledged.
        await lock.release();
        this.#writing.delete(room);
        for (const onChange of this.#watchers) onChange(room);
      }
    } catch (error) {
      this.#readiness.noteFailure();
      throw this.#refuse(error, this.#writes, room);
    }
  }

  async #read<T>(room: string, read: () => T): Promise<T> {
    try {
      await this.#recovery.judge(toFileStem(room));
      const result = read();
      this.#reads.noteSuccess();
      return result;
    } catch (error) {
      throw this.#refuse(error, this.#reads, room);
    }
  }

  async #probe(): Promise<void> {
    try {
      await this.#folder.probe();
      this.#writes.noteSuccess();
    } catch (error) {
      throw this.#refuse(error, this.#writes);
    }
  }

  get #syncEvents(): SyncEvents {
    return {
      onSync: (syncMs) => this.#metrics.syncs.observe(syncMs / 1000),
      onJournalFailure: (error) => {
        this.#log.warn('the journal failed; rooms are synced one by one for a while', { error });
      },
    };
  }

  /** Acquires a room's lock; makes the locks' folder anew if somebody removed it. */
  async #acquire(name: string): Promise<HeldLock> {
    try {
      return await this.#locks.acquire(name);
    } catch (error) {
      if (toErrno(error) !== 'ENOENT') throw error;
      this.#folder.make();
      return this.#locks.acquire(name);
    }
  }

  /** Makes durable what the owner of a stale lock wrote, before readers are shown it. */
  async #onBreak(name: string, committedBytes: number | undefined): Promise<void> {
    this.#metrics.broken.add();
    this.#log.warn('breaking a stale lock', { file: name });
    if (!this.#isDurable) return;
    const room = fromFileStem(name);
    if (room === undefined) return;
    await this.#folder.syncOwnName();
    await makeWritesDurable(toRoomFile(this.#folder.path, room), committedBytes, this.#disk);
    await this.#folder.syncRoomNames();
  }

  /** Breaks a room's lock if it is stale though nobody writes, as it hides what was written. */
  async #breakIfStale(room: string): Promise<void> {
    try {
      const lock = await this.#acquire(toFileStem(room));
      await lock.release();
    } catch (error) {
      this.#log.warn("a room's stale lock can't be broken", { room, error });
    }
  }

  /** Makes a refusal of the system's error, counts it and logs it. A bug stays what it is. */
  #refuse(error: unknown, outage: Outage, room?: string): unknown {
    const refusal = toServiceError(error);
    if (refusal !== error) {
      this.#metrics.errors.add();
      outage.noteFailure(error);
    } else if (error instanceof ServiceError && error.cause !== undefined && room !== undefined) {
      this.#reportRoom(room, error);
    }
    return refusal;
  }

  /** Logs, once a room, that the room's own file is at fault and not the disk. */
  #reportRoom(room: string, error: ServiceError): void {
    if (this.#reported.get(room)) return;
    this.#reported.set(room, true);
    this.#log.warn(error.message, { room, error: error.cause });
  }
}
