/** One journal file: zero-filled ahead, written in place, emptied by a new header. */
import { randomBytes } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { removeIfThere, tryClose, writeWhole } from '../disk/files.ts';
import {
  encodeFrame,
  encodeHeader,
  FIRST_FRAME_BYTES,
  type Header,
  type JournalRecord,
  type Origin,
  SECTOR_BYTES,
} from './record.ts';

const NO_THROW = { throwIfNoEntry: false } as const;

/** A journal file that this process writes to. */
export class JournalFile {
  readonly #file: string;
  readonly #disk: Disk;
  readonly #growBytes: number;
  readonly #fd: number;
  readonly #ino: number;
  #header: Header;
  #endBytes = FIRST_FRAME_BYTES;
  #filledBytes = 0;
  #isClosed = false;

  /**
   * Makes a journal file. It is not durable before its first {@link sync}, and its name not before its
   * folder is synced.
   *
   * @param file its path, at which there must be no file
   * @param growBytes by how much it is zero-filled at a time
   * @throws the system's error, with no file left
   */
  constructor(file: string, origin: Origin, growBytes: number, disk: Disk) {
    this.#file = file;
    this.#disk = disk;
    this.#growBytes = growBytes;
    this.#header = { ...origin, counter: 0, generation: makeGeneration() };
    this.#fd = disk.openSync(file, 'wx', 0o644);
    try {
      this.#ino = disk.fstatSync(this.#fd).ino;
      this.#grow(FIRST_FRAME_BYTES);
      this.#writeHeader();
    } catch (error) {
      this.#removeQuietly();
      throw error;
    }
  }

  /** How many bytes of frames it holds. */
  get usedBytes(): number {
    return this.#endBytes - FIRST_FRAME_BYTES;
  }

  /**
   * Writes records as one frame.
   *
   * @throws the system's error; what became of the frame is not known then
   */
  write(records: readonly JournalRecord[]): void {
    const frame = encodeFrame(this.#header.generation, records);
    this.#grow(this.#endBytes + frame.length);
    writeWhole(this.#fd, frame, this.#endBytes, this.#disk);
    this.#endBytes += frame.length;
  }

  /**
   * Makes what was written durable.
   *
   * @throws the system's error; what became of it is not known then, and never will be (fsync(2))
   */
  sync(): Promise<void> {
    return this.#disk.fdatasync(this.#fd);
  }

  /**
   * Makes the journal empty, durably: its frames are of an old generation from now on.
   *
   * @throws the system's error; it may be empty or not then
   */
  async empty(): Promise<void> {
    const { counter, ...rest } = this.#header;
    this.#header = { ...rest, counter: counter + 1, generation: makeGeneration() };
    this.#writeHeader();
    this.#endBytes = FIRST_FRAME_BYTES;
    await this.sync();
  }

  /** Whether it is still at its path, for sure: a process that takes this one for killed removes it. */
  isAtItsPath(): boolean {
    try {
      return this.#disk.statSync(this.#file, NO_THROW)?.ino === this.#ino;
    } catch {
      return false;
    }
  }

  /** Closes it and leaves it for the next start to replay. */
  close(): void {
    if (!this.#isClosed) tryClose(this.#fd, this.#disk);
    this.#isClosed = true;
  }

  /**
   * Closes and removes it.
   *
   * @throws the system's error if it is still there
   */
  remove(): void {
    this.close();
    if (this.isAtItsPath()) removeIfThere(this.#file, this.#disk);
  }

  #removeQuietly(): void {
    try {
      this.close();
      removeIfThere(this.#file, this.#disk);
    } catch {
      // A file without a header is no journal; another start removes it.
    }
  }

  /** Fills it with zeros ahead: a sync of what is written in place later moves no metadata. */
  #grow(neededBytes: number): void {
    if (neededBytes <= this.#filledBytes) return;
    const growth = Math.max(this.#growBytes, neededBytes - this.#filledBytes);
    writeWhole(this.#fd, Buffer.alloc(growth), this.#filledBytes, this.#disk);
    this.#filledBytes += growth;
  }

  #writeHeader(): void {
    const at = (this.#header.counter % 2) * SECTOR_BYTES;
    writeWhole(this.#fd, encodeHeader(this.#header), at, this.#disk);
  }
}

function makeGeneration(): string {
  return randomBytes(8).toString('hex');
}
