/**
 * How what was written to a room becomes durable: by the journal of this process, which makes the
 * writes of all rooms durable with one sync, or by a sync of the room's file.
 *
 * The first write to a file syncs the file and its name: somebody may have made it, or replaced
 * another one by it, a moment ago. So does a write after something else than an append: nobody can
 * say what of that is durable. The journal needs a disk that is this host's alone, and a file on the
 * device of its own folder that has one name.
 */
import { BoundedMap } from '../../bounded-map.ts';
import { type Disk, isLocal, type Stat } from '../../disk/disk.ts';
import { readAt } from '../../disk/files.ts';
import { Journal } from '../../journal/journal.ts';
import type { Origin } from '../../journal/record.ts';
import type { JournalLimits } from '../../journal/segment.ts';
import type { RoomsFolder } from './rooms-folder.ts';

/** How many files are remembered. */
const MAX_FILES = 10_000;

/** How much of a file's end is remembered. */
const TAIL_BYTES = 64;

/** If more than this was added by others, the file is synced. */
const MAX_ADDED_BYTES = 64 << 10;

const NO_THROW = { throwIfNoEntry: false } as const;

/** What was appended to a room's file. */
export interface Append {
  readonly file: string;
  readonly fd: number;
  /** The file's state before, and after. */
  readonly before: Stat;
  readonly after: Stat;
  readonly bytes: Buffer;
}

/** How a file stood when this process last made it durable, with its name. */
interface Durable {
  readonly sizeBytes: number;
  /** The last of it. */
  readonly tail: Buffer;
}

/** What a sync reports. */
export interface SyncEvents {
  /** A sync was made; how long it took, in milliseconds. */
  onSync(syncMs: number): void;
  /** The journal failed, and rooms are synced one by one for a while. */
  onJournalFailure(error: unknown): void;
}

/** Makes the rooms of one folder durable. */
export class RoomSync {
  readonly #folder: RoomsFolder;
  readonly #isDurable: boolean;
  readonly #events: SyncEvents;
  readonly #disk: Disk;
  readonly #origin: Origin | undefined;
  readonly #journal: Journal | undefined;
  /** By the identity of the file. */
  readonly #durable = new BoundedMap<string, Durable>({ maxEntries: MAX_FILES });

  /**
   * @param isDurable false to leave it to the system when bytes reach the disk
   * @throws the system's error
   */
  constructor(
    folder: RoomsFolder,
    isDurable: boolean,
    events: SyncEvents,
    disk: Disk,
    limits?: Partial<JournalLimits>,
  ) {
    this.#folder = folder;
    this.#isDurable = isDurable;
    this.#events = events;
    this.#disk = disk;
    this.#origin = findOrigin(folder.path, disk);
    if (!isDurable || this.#origin === undefined) return;
    this.#journal = new Journal({
      ...{ folder: folder.journals, origin: this.#origin, disk },
      events: { onSync: events.onSync, onFailure: events.onJournalFailure },
      limits: limits ?? {},
    });
  }

  /** Where this process writes; `undefined` if there can be no journal here. */
  get origin(): Origin | undefined {
    return this.#origin;
  }

  /**
   * Makes an append durable.
   *
   * @throws the system's error if it is not durable
   */
  async sync(append: Append): Promise<void> {
    if (!this.#isDurable) return;
    const { file, fd, before, after, bytes } = append;
    const identity = `${after.ino} ${after.birthtimeMs}`;
    const durable = this.#durable.get(identity);
    const context = durable && this.#readContext(append, durable);
    if (this.#journal !== undefined && context !== undefined && this.#canJournal(append)) {
      const { ino, birthtimeMs } = after;
      const offset = before.size;
      await this.#journal.commit({ file, fd, ino, birthtimeMs, offset, before: context, bytes });
    } else {
      await this.#syncFile(fd);
      if (context === undefined) await this.#folder.syncRoomNames();
    }
    const tail = Buffer.concat([context ?? Buffer.alloc(0), bytes]).subarray(-TAIL_BYTES);
    this.#durable.set(identity, { sizeBytes: after.size, tail: Buffer.from(tail) });
  }

  /**
   * Makes it durable, as well as that goes, that an append was taken back: neither the file nor the journal
   * may bring it back.
   */
  async syncTruncation({ file, fd, before }: Omit<Append, 'after' | 'bytes'>): Promise<void> {
    if (!this.#isDurable) return;
    const { ino, birthtimeMs, size: offset } = before;
    const nothing = Buffer.alloc(0);
    const truncation = { file, fd, ino, birthtimeMs, offset, before: nothing, bytes: nothing };
    await this.#journal?.commit(truncation).catch(() => undefined);
    await this.#disk.fdatasync(fd).catch(() => undefined);
  }

  /** Syncs all rooms, and leaves no journal. Nothing may be written any more. */
  async close(): Promise<void> {
    await this.#journal?.close();
  }

  /** If somebody wrote in between, nobody knows where the bytes are. */
  #canJournal({ before, after, bytes }: Append): boolean {
    const isAlone = after.ino === before.ino && after.size === before.size + bytes.length;
    return isAlone && after.dev === this.#origin?.device && after.nlink === 1;
  }

  /**
   * Reads what stands before an append: the end of what is durable, and what others added to it.
   *
   * @returns `undefined` if somebody did something else to the file than add to it
   */
  #readContext({ fd, before }: Append, { sizeBytes, tail }: Durable): Buffer | undefined {
    const addedBytes = before.size - sizeBytes;
    if (sizeBytes === 0 || addedBytes < 0 || addedBytes > MAX_ADDED_BYTES) return undefined;
    const from = sizeBytes - tail.length;
    const context = readAt(fd, from, before.size - from, this.#disk);
    return context.subarray(0, tail.length).equals(tail) ? context : undefined;
  }

  async #syncFile(fd: number): Promise<void> {
    const begunMs = performance.now();
    await this.#disk.fdatasync(fd);
    this.#events.onSync(performance.now() - begunMs);
  }
}

/**
 * @returns `undefined` if the folder may be another host's as well, or the host has no boot id
 * @throws the system's error: a process that can't tell its origin would replay what others still write
 */
function findOrigin(folder: string, disk: Disk): Origin | undefined {
  const boot = disk.bootId();
  if (boot === undefined || !isLocal(folder, disk)) return undefined;
  const device = disk.statSync(folder, NO_THROW)?.dev;
  return device === undefined ? undefined : { boot, device };
}
