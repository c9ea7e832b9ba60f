/**
 * The inodes behind this process's locks: a lock is a hard link to one of them (decision 10).
 *
 * link(2) makes a name that must not exist yet, as O_EXCL does, but no inode; to make and remove an
 * inode for each batch is what file systems are slow at. So a process keeps as many inodes as it
 * ever held locks at a time, each under a name of its own, and writes a new record into one for
 * each lock.
 *
 * This is done only where one system's page cache is all that anybody reads: on NFS a host may be
 * shown what stood in an inode before, such as the committed offset of an earlier lock. There each
 * lock is a new file.
 */
import path from 'node:path';
import { type Disk, isLocal } from '../disk/disk.ts';
import { removeIfThere, tryClose, writeWhole } from '../disk/files.ts';
import { toErrno } from '../errors.ts';

/** The end of the name that a process gives an inode. */
const INODE_SUFFIX = '.own';

/** What link(2) fails with where there are no hard links after all. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EXDEV'];

/** The inode behind a lock. */
export interface LockInode {
  /** An open descriptor of it. */
  readonly fd: number;
  readonly ino: number;
  /** The path under which the process keeps it; `undefined` if the lock is a file of its own. */
  readonly ownFile: string | undefined;
}

/** The lock inodes of one process in one folder. */
export class LockInodes {
  readonly #folder: string;
  readonly #owner: string;
  readonly #disk: Disk;
  readonly #free: LockInode[] = [];
  #inodeCount = 0;
  #hasLinks: boolean;
  #isClosed = false;

  /** The owner is a name that no other process has. */
  constructor(folder: string, owner: string, disk: Disk) {
    this.#folder = folder;
    this.#owner = owner;
    this.#disk = disk;
    this.#hasLinks = isLocal(folder, disk);
  }

  /**
   * Makes a lock.
   *
   * @param record what it says from its first moment on
   * @returns the inode behind it, or `undefined` if the path exists already
   * @throws the system's error
   */
  createLock(file: string, record: string): LockInode | undefined {
    const bytes = Buffer.from(record, 'latin1');
    while (this.#hasLinks) {
      const kept = this.#free.pop();
      const inode = kept ?? this.#createInode();
      try {
        writeWhole(inode.fd, bytes, 0, this.#disk);
        if (this.#link(inode, file)) return inode;
        this.#free.push(inode);
        return undefined;
      } catch (error) {
        // The link may have been made all the same, so no other lock may get this inode.
        this.discard(inode);
        const errno = toErrno(error) ?? '';
        if (NO_LINKS.includes(errno)) this.#hasLinks = false;
        // ENOENT: a sweep or a person removed the inode's own name. Another inode will do.
        else if (errno !== 'ENOENT' || kept === undefined) throw error;
      }
    }
    return this.#createFile(file, bytes);
  }

  /** Takes an inode back whose lock is certainly gone. */
  reuse(inode: LockInode): void {
    if (inode.ownFile === undefined || this.#isClosed) this.discard(inode);
    else this.#free.push(inode);
  }

  /** Gives up an inode whose lock may still be there, and would show the next record as well. */
  discard(inode: LockInode): void {
    tryClose(inode.fd, this.#disk);
    try {
      if (inode.ownFile !== undefined) removeIfThere(inode.ownFile, this.#disk);
    } catch {
      // A sweep removes it.
    }
  }

  /** Discards all inodes that have no lock, and later those whose lock is released. */
  close(): void {
    this.#isClosed = true;
    for (const inode of this.#free.splice(0)) this.discard(inode);
  }

  #createInode(): LockInode {
    this.#inodeCount += 1;
    const name = `${this.#owner}-${this.#inodeCount}${INODE_SUFFIX}`;
    const ownFile = path.join(this.#folder, name);
    const fd = this.#disk.openSync(ownFile, 'wx', 0o644);
    try {
      return { fd, ino: this.#disk.fstatSync(fd).ino, ownFile };
    } catch (error) {
      this.discard({ fd, ino: 0, ownFile });
      throw error;
    }
  }

  /** @returns false if the path exists already */
  #link(inode: LockInode, file: string): boolean {
    try {
      this.#disk.linkSync(inode.ownFile!, file);
    } catch (error) {
      if (toErrno(error) !== 'EEXIST') throw error;
      return false;
    }
    // Where the folder was copied and put back, the inode's own name leads to the copy.
    if (this.#disk.statSync(file, { throwIfNoEntry: false })?.ino === inode.ino) return true;
    removeIfThere(file, this.#disk);
    throw Object.assign(new Error('the lock is another file'), { code: 'ENOENT' });
  }

  /** Makes a lock that is a file of its own. */
  #createFile(file: string, bytes: Buffer): LockInode | undefined {
    let fd: number;
    try {
      fd = this.#disk.openSync(file, 'wx', 0o644);
    } catch (error) {
      if (toErrno(error) === 'EEXIST') return undefined;
      throw error;
    }
    try {
      writeWhole(fd, bytes, 0, this.#disk);
      return { fd, ino: this.#disk.fstatSync(fd).ino, ownFile: undefined };
    } catch (error) {
      this.discard({ fd, ino: 0, ownFile: file });
      throw error;
    }
  }
}
