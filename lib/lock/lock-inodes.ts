/**
 * The files behind this process's locks: a lock is a hard link to one of them (decision 10).
 *
 * link(2) makes a name that must not exist yet, as O_EXCL does, but it makes no file: making and
 * removing one for every batch is what file systems are slow at. So each process keeps a few of its
 * own, as many as it ever held locks at a time, and gives each lock a text that names it.
 *
 * Only where one system's page cache is all that anybody sees: on NFS a host may be shown what stood in
 * a file before, the base of an earlier lock. There each lock is a file of its own.
 */
import path from 'node:path';
import { type Disk, isLocal } from '../disk/disk.ts';
import { createExclusive, removeIfThere, tryClose, writeWhole } from '../disk/files.ts';
import { toErrno } from '../errors.ts';

/** The ending of such a file's name. */
const ENDING = '.own';

/** What link(2) says where there are no links all the same. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'];

/** The file behind a lock. */
export interface LockInode {
  readonly fd: number;
  readonly ino: number;
  /** Its own path; `undefined` where the lock itself is all there is of it. */
  readonly own: string | undefined;
}

/** The files of one process in one folder. */
export class LockInodes {
  readonly #folder: string;
  readonly #owner: string;
  readonly #disk: Disk;
  readonly #free: LockInode[] = [];
  #made = 0;
  #hasLinks: boolean;
  #isClosed = false;

  /**
   * @param folder where the locks are
   * @param owner the process's name, which no other has
   */
  constructor(folder: string, owner: string, disk: Disk) {
    this.#folder = folder;
    this.#owner = owner;
    this.#disk = disk;
    this.#hasLinks = isLocal(folder, disk);
  }

  /**
   * Makes a lock file.
   *
   * @param file its path
   * @param text what it is to say from the beginning
   * @returns what is behind it, or `undefined` where there is such a file already
   * @throws the system's error
   */
  make(file: string, text: string): LockInode | undefined {
    while (this.#hasLinks) {
      const known = this.#free.pop();
      const body = known ?? this.#add();
      try {
        writeWhole(body.fd, text, 0, this.#disk);
        if (this.#link(body, file)) return body;
        this.#free.push(body);
        return undefined;
      } catch (error) {
        // What became of the link is not known, so no other lock may come to be behind it.
        this.drop(body);
        const errno = toErrno(error) ?? '';
        if (NO_LINKS.includes(errno)) this.#hasLinks = false;
        // Its own name is gone: a sweep or a person took it for a dead process's.
        else if (errno !== 'ENOENT' || known === undefined) throw error;
      }
    }
    return this.#create(file, text);
  }

  /** Takes a file back whose lock is gone for sure. */
  give(body: LockInode): void {
    if (body.own === undefined || this.#isClosed) this.drop(body);
    else this.#free.push(body);
  }

  /** Gives up a file whose lock may still be there: what is written to it would show in that lock. */
  drop(body: LockInode): void {
    tryClose(body.fd, this.#disk);
    try {
      if (body.own !== undefined) removeIfThere(body.own, this.#disk);
    } catch {
      // A sweep does it.
    }
  }

  /** Removes what no lock needs any more. */
  close(): void {
    this.#isClosed = true;
    for (const body of this.#free.splice(0)) this.drop(body);
  }

  #add(): LockInode {
    this.#made += 1;
    const own = path.join(this.#folder, `${this.#owner}-${this.#made}${ENDING}`);
    const fd = this.#disk.openSync(own, 'wx', 0o644);
    try {
      return { fd, ino: this.#disk.fstatSync(fd).ino, own };
    } catch (error) {
      this.drop({ fd, ino: 0, own });
      throw error;
    }
  }

  /** @returns whether the lock is made; not, where there was one */
  #link(body: LockInode, file: string): boolean {
    try {
      this.#disk.linkSync(body.own!, file);
    } catch (error) {
      if (toErrno(error) !== 'EEXIST') throw error;
      return false;
    }
    // Where the folder was copied and put back, the name is a copy's, and says what that said.
    if (this.#disk.statSync(file, { throwIfNoEntry: false })?.ino === body.ino) return true;
    removeIfThere(file, this.#disk);
    throw Object.assign(new Error('the lock is another file'), { code: 'ENOENT' });
  }

  /** Makes the lock a file of its own, where there are no links. */
  #create(file: string, text: string): LockInode | undefined {
    const fd = createExclusive(file, this.#disk);
    if (fd === undefined) return undefined;
    try {
      writeWhole(fd, text, 0, this.#disk);
      return { fd, ino: this.#disk.fstatSync(fd).ino, own: undefined };
    } catch (error) {
      this.drop({ fd, ino: 0, own: file });
      throw error;
    }
  }
}
