/**
 * The files of the rooms that this process writes to, kept open from batch to batch (decision 3).
 *
 * When the last writer of a file closes it, the file system gives up the space that it had set
 * aside for the file's growth; opening it again for the next batch costs more than the calls
 * themselves. A kept file is written to only if it is still the one at its path and nobody did more
 * to it than write: not if somebody replaced it or took away its write permission. If its state is
 * the very one in which the last batch left it, its epoch and its end are known too.
 *
 * Files are kept only on a file system of one host: elsewhere a stat may be out of date.
 */
import { type Disk, isLocal, type Stat } from '../../disk/disk.ts';
import { tryClose } from '../../disk/files.ts';
import { isSameState, type Opened, openToAppend } from './room-file.ts';

/** How many files are kept open. */
export const MAX_KEPT_FILES = 64;

/** A file is closed when nothing was written to it for this long, up to twice. */
const IDLE_MS = 5000;

const NO_THROW = { throwIfNoEntry: false } as const;

/** A room's file, open for one batch. */
export interface OpenFile extends Opened {
  /** The room's epoch if nobody touched the file since the last batch, which ended with LF. */
  readonly epoch: string | undefined;
}

/** A file as a batch left it. */
interface Kept {
  readonly fd: number;
  readonly state: Stat;
  /** Its mode before the batch. */
  readonly mode: number;
  readonly epoch: string;
  isIdle: boolean;
}

/** The open files of one folder. */
export class OpenFiles {
  readonly #disk: Disk;
  /** The folder's device if files on it are kept. */
  readonly #dev: number | undefined;
  /** By path, the least recently used first. */
  readonly #kept = new Map<string, Kept>();
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  constructor(folder: string, disk: Disk) {
    this.#disk = disk;
    this.#dev = findDevice(folder, disk);
    this.#timer = setInterval(() => this.#closeIdle(), IDLE_MS).unref();
  }

  /**
   * Opens a room's file to append to it; makes it if it does not exist.
   *
   * @returns what has to be handed to {@link keep} or {@link drop}
   * @throws ServiceError `unavailable`, or the system's error
   */
  open(file: string): OpenFile {
    return this.#reuse(file) ?? { ...openToAppend(file, this.#disk), epoch: undefined };
  }

  /**
   * Takes a file back after a batch.
   *
   * @param state in which the batch left it; it ends with LF
   */
  keep(file: string, room: OpenFile, state: Stat, epoch: string): void {
    // Another device: a mount that came later, or a symbolic link.
    if (this.#isClosed || state.dev !== this.#dev) {
      this.drop(room);
      return;
    }
    this.#kept.set(file, { fd: room.fd, state, mode: room.state.mode, epoch, isIdle: false });
    if (this.#kept.size <= MAX_KEPT_FILES) return;
    const [oldest] = this.#kept.keys();
    this.#close(oldest!);
  }

  /** Closes a file whose state after the batch is not known. */
  drop({ fd }: OpenFile): void {
    // The sync has reported what close might report.
    tryClose(fd, this.#disk);
  }

  /** Closes all that is kept. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const file of this.#kept.keys()) this.#close(file);
  }

  #reuse(file: string): OpenFile | undefined {
    const kept = this.#kept.get(file);
    if (kept === undefined) return undefined;
    const state = this.#disk.statSync(file, NO_THROW);
    if (state === undefined || !isWritable(state, kept)) {
      this.#close(file);
      return undefined;
    }
    this.#kept.delete(file);
    const epoch = isSameState(state, kept.state) ? kept.epoch : undefined;
    return { fd: kept.fd, state, epoch };
  }

  #closeIdle(): void {
    for (const [file, kept] of this.#kept) {
      if (kept.isIdle) this.#close(file);
      else kept.isIdle = true;
    }
  }

  #close(file: string): void {
    tryClose(this.#kept.get(file)!.fd, this.#disk);
    this.#kept.delete(file);
  }
}

/** @returns the folder's device, `undefined` if it is not local or can't be told */
function findDevice(folder: string, disk: Disk): number | undefined {
  try {
    return isLocal(folder, disk) ? disk.statSync(folder, NO_THROW)?.dev : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns whether a kept file may still be written to. A write sets both times, anything else that
 * is done to a file sets ctime alone. The mode counts too, as a coarse clock may give a change of
 * it the time of a write.
 */
function isWritable(state: Stat, { state: left, mode }: Kept): boolean {
  const isSameFile = state.dev === left.dev && state.ino === left.ino && state.mode === mode;
  return isSameFile && (isSameState(state, left) || state.mtimeMs === state.ctimeMs);
}
