/**
 * The files of the rooms that this process writes to, kept open from batch to batch (decision 3).
 *
 * When the last writer of a file closes it, the file system gives up what it had set aside for its
 * growth; opening it again for the next batch costs more than the calls themselves. A kept file is
 * written to only where it is still the one at its path, and nobody did more to it than write: not
 * where somebody replaced it or took away its write permission. Where its state is the very one in
 * which the last batch's write left it, it is also known how it begins and ends.
 *
 * Only on a file system of one host: elsewhere such a look may be out of date, and an open is not.
 */
import { type Disk, isLocal, type Stat } from '../../disk/disk.ts';
import { tryClose } from '../../disk/files.ts';
import { isSameState } from './snapshot-cache.ts';

/** How many files are kept open. */
export const MAX_KEPT_FILES = 64;

/** A file is closed when it was not written to for this long, up to twice. */
const IDLE_MS = 5000;

const NO_THROW = { throwIfNoEntry: false } as const;

/** A room's file, open for one batch. */
export interface OpenFile {
  readonly fd: number;
  /** Its state now, before the batch. */
  readonly state: Stat;
  /** The room's epoch where nothing happened since the last batch, which then ends with LF. */
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
  /** The folder's device where files on it are kept. */
  readonly #dev: number | undefined;
  /** By path; the one used last is the last. */
  readonly #kept = new Map<string, Kept>();
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  /** @param folder where the rooms are */
  constructor(folder: string, disk: Disk) {
    this.#disk = disk;
    this.#dev = findDevice(folder, disk);
    this.#timer = setInterval(() => this.#closeIdle(), IDLE_MS).unref();
  }

  /** Whether files are kept at all, so that it is worth a look how a batch left its own. */
  get isKeeping(): boolean {
    return this.#dev !== undefined;
  }

  /**
   * Opens a room's file to append to it, making it where it does not exist.
   *
   * @param file its path
   * @returns what is to be handed back or closed by {@link keep} or {@link drop}
   * @throws the system's error
   */
  open(file: string): OpenFile {
    return this.#reuse(file) ?? this.#openAnew(file);
  }

  /**
   * Takes a file back after a batch.
   *
   * @param state in which the batch's write left it; it ends with LF
   * @param epoch the room's epoch
   */
  keep(file: string, room: OpenFile, state: Stat, epoch: string): void {
    // Another device: a mount that came later, or a link that leads elsewhere.
    if (this.#isClosed || state.dev !== this.#dev) {
      this.drop(room);
      return;
    }
    this.#kept.set(file, { fd: room.fd, state, mode: room.state.mode, epoch, isIdle: false });
    if (this.#kept.size <= MAX_KEPT_FILES) return;
    const [oldest] = this.#kept.keys();
    this.#close(oldest!);
  }

  /** Closes a file of which it is not known how the batch left it. */
  drop({ fd }: OpenFile): void {
    // What close may say, the sync has said before.
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
    if (state === undefined || !isOpenTo(state, kept)) {
      this.#close(file);
      return undefined;
    }
    this.#kept.delete(file);
    const epoch = isSameState(state, kept.state) ? kept.epoch : undefined;
    return { fd: kept.fd, state, epoch };
  }

  #openAnew(file: string): OpenFile {
    const fd = this.#disk.openSync(file, 'a+', 0o644);
    try {
      return { fd, state: this.#disk.fstatSync(fd), epoch: undefined };
    } catch (error) {
      tryClose(fd, this.#disk);
      throw error;
    }
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

/** @returns the folder's device, where files on it may be kept and that can be told */
function findDevice(folder: string, disk: Disk): number | undefined {
  try {
    return isLocal(folder, disk) ? disk.statSync(folder, NO_THROW)?.dev : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether a kept file may still be written to. What is done to a file and not written to it changes its
 * second time alone. The mode apart: a clock that ticks slowly may give a change of it the time of a
 * write.
 */
function isOpenTo(state: Stat, { state: left, mode }: Kept): boolean {
  const isSameFile = state.dev === left.dev && state.ino === left.ino && state.mode === mode;
  return isSameFile && (isSameState(state, left) || state.mtimeMs === state.ctimeMs);
}
