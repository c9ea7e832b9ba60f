/**
 * The few file calls that the folder store makes, under Node's own names: a seam, so that a test
 * can put a disk in their place that fails, or loses power.
 */
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { toErrno } from '../errors.ts';

/** What is asked of a file's or folder's state; times in milliseconds. */
export interface Stat {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  /** Its type and who may do what with it. */
  readonly mode: number;
  /** How many names it has. */
  readonly nlink: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;
  isFile(): boolean;
}

/** An open file or folder whose calls do not hold up the process. */
export interface Handle {
  write(bytes: Buffer): Promise<{ bytesWritten: number }>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** A disk, as `node:fs` has it. */
export interface Disk {
  openSync(path: string, flags: string | number, mode?: number): number;
  closeSync(fd: number): void;
  fstatSync(fd: number): Stat;
  statSync(path: string, options: { readonly throwIfNoEntry: false }): Stat | undefined;
  statfsSync(path: string): { readonly type: number };
  existsSync(path: string): boolean;
  readSync(fd: number, into: Buffer, offset: number, length: number, position: number): number;
  /** Without a position at the place of the handle: the end, for one opened to append. */
  writeSync(fd: number, bytes: Buffer, offset?: number, length?: number, position?: number): number;
  ftruncateSync(fd: number, sizeBytes: number): void;
  futimesSync(fd: number, atimeSeconds: number, mtimeSeconds: number): void;
  fdatasyncSync(fd: number): void;
  fsyncSync(fd: number): void;
  /** Gives a file another name, which must not exist yet. */
  linkSync(existingPath: string, newPath: string): void;
  unlinkSync(path: string): void;
  readdirSync(path: string): string[];
  /** @returns the first folder that it made, `undefined` where all were there */
  mkdirSync(path: string, options: { readonly recursive: true }): string | undefined;
  fdatasync(fd: number): Promise<void>;
  /** Reads without holding up the process. */
  read(
    fd: number,
    into: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }>;
  open(path: string, flags: string | number): Promise<Handle>;
  /** Rejects where this process may not write to the folder. */
  access(path: string, mode: number): Promise<void>;
}

/** The system's own. */
export const realDisk: Disk = {
  openSync: fs.openSync,
  closeSync: fs.closeSync,
  fstatSync: fs.fstatSync,
  statSync: fs.statSync,
  statfsSync: fs.statfsSync,
  existsSync: fs.existsSync,
  readSync: fs.readSync,
  writeSync: fs.writeSync,
  ftruncateSync: fs.ftruncateSync,
  futimesSync: fs.futimesSync,
  fdatasyncSync: fs.fdatasyncSync,
  fsyncSync: fs.fsyncSync,
  linkSync: fs.linkSync,
  unlinkSync: fs.unlinkSync,
  readdirSync: fs.readdirSync,
  mkdirSync: makeFolderChain,
  fdatasync: promisify(fs.fdatasync),
  read: promisify(fs.read),
  open: fs.promises.open,
  access: fs.promises.access,
};

/** Node's own recursive form goes round in circles where a folder refuses with ENOENT, as /proc does. */
function makeFolderChain(folder: string): string | undefined {
  try {
    fs.mkdirSync(folder);
    return folder;
  } catch (error) {
    const errno = toErrno(error);
    if (errno === 'EEXIST' && fs.statSync(folder).isDirectory()) return undefined;
    const parent = path.dirname(folder);
    if (errno !== 'ENOENT' || fs.existsSync(parent)) throw error;
    const first = makeFolderChain(parent);
    makeFolderChain(folder);
    return first ?? folder;
  }
}

/** File systems of one host, by Linux's numbers for them (statfs(2)). */
const LOCAL_TYPES = [
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
  0x2fc12fc1, // ZFS
  0x01021994, // tmpfs
  0x794c7630, // OverlayFS
];

/**
 * Whether a folder is on a file system that no other host writes to: a look at a file there is never
 * out of date. Not where that is not known.
 */
export function isLocal(folder: string, disk: Disk): boolean {
  try {
    return LOCAL_TYPES.includes(disk.statfsSync(folder).type);
  } catch {
    return false;
  }
}
