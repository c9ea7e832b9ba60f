/** What becomes of the journals that other processes, or an earlier boot, left in a folder of rooms. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Disk } from '../../disk/disk.ts';
import { syncFolder } from '../../disk/durability.ts';
import { tryClose, writeWhole } from '../../disk/files.ts';
import type { JournalRecord, Origin } from '../../journal/record.ts';
import {
  type FoundJournal,
  findJournals,
  needsReplay,
  type Replayed,
  type Rooms,
  replayJournals,
  retireJournals,
} from '../../journal/recover.ts';
import type { LockFolder } from '../../lock/lock.ts';
import type { Log } from '../../ops/log.ts';
import { fromStem } from './room-file.ts';
import type { RoomsFolder } from './rooms-folder.ts';

/** What recovery works with. */
export interface JournalRecoveryParts {
  readonly folder: RoomsFolder;
  readonly locks: LockFolder;
  /** Where this process writes; `undefined` if it has no journal. */
  readonly origin: Origin | undefined;
  readonly log: Log;
  readonly disk: Disk;
  /** For how long a journal of this boot must not change until its owner counts as gone. */
  readonly quietMs?: number | undefined;
}

/** What a recovery put right. */
export interface Recovered extends Replayed {
  /** How many journals of a power loss there were. */
  readonly journalCount: number;
  /** The files of lines that no longer fit their room. */
  readonly kept: readonly string[];
}

/** The journals that were there at the start. */
export class JournalRecovery {
  readonly #parts: JournalRecoveryParts;
  readonly #recovered = {
    ...{ journalCount: 0, roomCount: 0, restoredBytes: 0 },
    kept: [] as string[],
  };

  constructor(parts: JournalRecoveryParts) {
    this.#parts = parts;
  }

  /**
   * Whether rooms lack what a journal has, since a power loss.
   *
   * @throws the system's error if that can't be told
   */
  isNeeded(): boolean {
    return this.#find().lost.length > 0;
  }

  /**
   * Puts into the rooms what a power loss took, and says so in one line. Journals of killed processes are
   * removed behind that.
   *
   * @throws the system's error; it is safe to begin again
   */
  async replay(): Promise<void> {
    const { folder, log, disk } = this.#parts;
    const { lost, complete } = this.#find();
    if (lost.length > 0) {
      const options = { isAfterPowerLoss: true };
      const replayed = await replayJournals(folder.journals, lost, options, this.#rooms, disk);
      this.#recovered.journalCount += lost.length;
      this.#recovered.roomCount += replayed.roomCount;
      this.#recovered.restoredBytes += replayed.restoredBytes;
      const { roomCount: rooms, restoredBytes: bytes } = replayed;
      log.warn('recovered after a power loss', { journals: lost.length, rooms, bytes });
    }
    void this.#retire(complete);
  }

  /** What has been put right so far. */
  get recovered(): Recovered {
    return this.#recovered;
  }

  #find(): { lost: FoundJournal[]; complete: FoundJournal[] } {
    const { folder, origin, disk } = this.#parts;
    const found = findJournals(folder.journals, disk);
    const lost = found.filter((journal) => needsReplay(journal, origin));
    return { lost, complete: found.filter((journal) => !lost.includes(journal)) };
  }

  async #retire(journals: readonly FoundJournal[]): Promise<void> {
    const { folder, log, disk, quietMs } = this.#parts;
    try {
      await retireJournals(folder.journals, journals, this.#rooms, disk, quietMs);
    } catch (error) {
      log.warn('journals of killed processes stay until the next start', { error });
    }
  }

  readonly #rooms: Rooms = {
    withLock: async (name, work) => {
      const { folder, locks } = this.#parts;
      const lock = await locks.acquire(name);
      try {
        return await work(fromStem(folder.path, name));
      } finally {
        await lock.release();
      }
    },
    keep: (name, misfits) => this.#keep(name, misfits),
  };

  /** Keeps lines that no longer fit a room that somebody changed, beside the rooms. Repeating it changes nothing. */
  async #keep(name: string, misfits: readonly JournalRecord[]): Promise<void> {
    const { folder, log, disk } = this.#parts;
    const bytes = Buffer.concat(misfits.map((record) => record.bytes));
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8);
    const file = path.join(folder.recovered, `${name}-${hash}.txt`);
    disk.mkdirSync(folder.recovered, { recursive: true });
    // Not to append, nor only if it is new: another process may keep the same lines just now.
    const fd = disk.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644);
    try {
      writeWhole(fd, bytes, 0, disk);
      await disk.fdatasync(fd);
    } finally {
      tryClose(fd, disk);
    }
    for (const changed of [folder.recovered, folder.path]) {
      await syncFolder(changed, disk, () => undefined);
    }
    this.#recovered.kept.push(file);
    log.warn('lines that no longer fit their room, as somebody changed it, are kept', {
      file,
      bytes: bytes.length,
    });
  }
}
