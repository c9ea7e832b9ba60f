/** A segment: one of a process's journal files, with the rooms' files that it covers. */
import type { Disk } from '../disk/disk.ts';
import { CoveredFiles } from './covered-files.ts';
import { JournalFile } from './journal-file.ts';
import type { Origin } from './record.ts';

/** How a journal is bounded. */
export interface JournalLimits {
  /** A file is checkpointed when it holds so much. */
  readonly maxBytes: number;
  /** A file is checkpointed when its first record is this old. */
  readonly maxAgeMs: number;
  /** A file is checkpointed when nothing was written for so long. */
  readonly idleMs: number;
  /** By how much a file is zero-filled at a time. */
  readonly growBytes: number;
  /** After a failure rooms are synced one by one for so long, before a new journal is tried. */
  readonly pauseMs: number;
}

/** A journal file and the rooms' files that it covers. */
export class Segment {
  readonly journal: JournalFile;
  readonly covered: CoveredFiles;
  readonly #limits: JournalLimits;
  #begunMs = 0;

  /**
   * @param file the path of the journal file, which must not exist
   * @throws the system's error, with no file left
   */
  constructor(file: string, origin: Origin, limits: JournalLimits, disk: Disk) {
    this.#limits = limits;
    this.journal = new JournalFile(file, origin, limits.growBytes, disk);
    this.covered = new CoveredFiles(disk);
  }

  /** Says that its first write is to come now. */
  begin(): void {
    this.#begunMs = performance.now();
  }

  /** Whether nothing more should be written to it. */
  get isFull(): boolean {
    return this.journal.usedBytes >= this.#limits.maxBytes || this.covered.isFull;
  }

  /** Whether it should be checkpointed. */
  get isDue(): boolean {
    return this.isFull || performance.now() - this.#begunMs > this.#limits.maxAgeMs;
  }
}
