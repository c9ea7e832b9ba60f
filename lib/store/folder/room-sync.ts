/**
 * How what was written to a room becomes durable: by the journal of this process, which makes the writes of
 * all rooms durable with one sync, or by a sync of the room's file.
 *
 * The first write to a file always syncs the file and its name: somebody may have made it, or replaced
 * another one by it, a moment ago. The journal needs a disk that is this host's alone, and a file on the
 * device of its own folder that has one name.
 */
import { BoundedMap } from '../../bounded-map.ts';
import { type Disk, isLocal, type Stat } from '../../disk/disk.ts';
import { Journal } from '../../journal/journal.ts';
import type { Origin } from '../../journal/record.ts';
import type { JournalLimits } from '../../journal/segment.ts';
import type { RoomsFolder } from './rooms-folder.ts';

/** How many files are remembered as durable. */
const MAX_DURABLE_FILES = 100_000;

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
  /** The files that were synced with their names, by their identity. */
  readonly #durable = new BoundedMap<string, true>({ maxEntries: MAX_DURABLE_FILES });

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
    const { before, after } = append;
    const identity = `${after.ino} ${after.birthtimeMs}`;
    if (before.size === 0 || this.#durable.get(identity) === undefined) {
      await this.#syncFile(append.fd);
      await this.#folder.syncRoomNames();
      this.#durable.set(identity, true);
    } else if (!(await this.#tryJournal(append))) {
      await this.#syncFile(append.fd);
    }
  }

  /**
   * Makes it durable, as well as that goes, that an append was taken back: neither the file nor the journal
   * may bring it back.
   */
  async syncTruncation({ file, fd, before }: Omit<Append, 'after' | 'bytes'>): Promise<void> {
    if (!this.#isDurable) return;
    const { ino, birthtimeMs, size: offset } = before;
    const truncation = { file, fd, ino, birthtimeMs, offset, bytes: Buffer.alloc(0) };
    await this.#journal?.commit(truncation).catch(() => undefined);
    await this.#disk.fdatasync(fd).catch(() => undefined);
  }

  /** Syncs all rooms, and leaves no journal. Nothing may be written any more. */
  async close(): Promise<void> {
    await this.#journal?.close();
  }

  /** @returns false if the file has to be synced itself */
  async #tryJournal({ file, fd, before, after, bytes }: Append): Promise<boolean> {
    // If somebody wrote in between, nobody knows where the bytes are.
    const isAlone = after.ino === before.ino && after.size === before.size + bytes.length;
    if (!isAlone || after.dev !== this.#origin?.device || after.nlink > 1) return false;
    const { ino, birthtimeMs } = after;
    await this.#journal?.commit({ file, fd, ino, birthtimeMs, offset: before.size, bytes });
    return this.#journal !== undefined;
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
