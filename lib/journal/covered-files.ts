/** The rooms' files whose last writes only a journal makes durable. */
import type { Disk } from '../disk/disk.ts';
import { tryClose } from '../disk/files.ts';

/** How many files one journal covers. */
const MAX_FILES = 1024;

/** How many of them are synced at a time: other work needs threads too. */
const CONCURRENT_SYNCS = 3;

/** Which file, and where it is. */
interface FileIdentity {
  readonly file: string;
  readonly ino: number;
}

/**
 * A set of files to be synced. Each is held open: an editor may rename or replace it meanwhile, and a sync
 * needs the file and not its name.
 */
export class CoveredFiles {
  readonly #disk: Disk;
  readonly #fds = new Map<number, number>();

  /** @param disk where the files are */
  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Whether there are so many that they should be synced. */
  get isFull(): boolean {
    return this.#fds.size >= MAX_FILES;
  }

  /** Adds a file. @returns false if it can't be opened, or another file is at its path by now */
  tryAdd({ file, ino }: FileIdentity): boolean {
    if (this.#fds.has(ino)) return true;
    const fd = this.#tryOpen(file);
    if (fd === undefined) return false;
    if (this.#tryInode(fd) === ino) this.#fds.set(ino, fd);
    else tryClose(fd, this.#disk);
    return this.#fds.has(ino);
  }

  /**
   * Syncs all of them, and forgets them.
   *
   * @returns the inode numbers of those that could not be synced, each with the system's error: what
   *   became of their last writes is not known, and another sync would not tell (fsync(2))
   */
  async sync(): Promise<Map<number, unknown>> {
    const files = [...this.#fds];
    this.#fds.clear();
    const failures = new Map<number, unknown>();
    const syncNext = async (): Promise<void> => {
      for (let next = files.pop(); next !== undefined; next = files.pop()) {
        const [ino, fd] = next;
        try {
          await this.#disk.fdatasync(fd);
        } catch (error) {
          failures.set(ino, error);
        } finally {
          tryClose(fd, this.#disk);
        }
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT_SYNCS }, syncNext));
    return failures;
  }

  #tryOpen(file: string): number | undefined {
    try {
      return this.#disk.openSync(file, 'r');
    } catch {
      return undefined;
    }
  }

  #tryInode(fd: number): number | undefined {
    try {
      return this.#disk.fstatSync(fd).ino;
    } catch {
      return undefined;
    }
  }
}
