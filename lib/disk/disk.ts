/**
 * The seam to the file system: the few calls that the folder store and the locks make, so that a
 * test can replace it by a disk that fails or loses power. The calls bear Node's names and do what
 * Node's do. What is built from them is in files.ts and durability.ts.
 */
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

/** What a stat tells of a file or folder (stat(2)). */
export interface Stat {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  /** Type and permissions. */
  readonly mode: number;
  /** How many hard links lead to it. */
  readonly nlink: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;
  isFile(): boolean;
}

/** An open file or folder whose calls do not block the event loop. */
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
  /** Without a position it writes where the descriptor stands: at the end, if opened to append. */
  writeSync(fd: number, bytes: Buffer, offset?: number, length?: number, position?: number): number;
  ftruncateSync(fd: number, sizeBytes: number): void;
  futimesSync(fd: number, atimeSeconds: number, mtimeSeconds: number): void;
  /** Gives a file one more name, which must not exist yet. */
  linkSync(existingPath: string, newPath: string): void;
  unlinkSync(path: string): void;
  readdirSync(path: string): string[];
  /** Makes the folders above it as well, whatever other processes make of them meanwhile. */
  mkdirSync(path: string, options: { readonly recursive: true }): void;
  fdatasync(fd: number): Promise<void>;
  read(
    fd: number,
    into: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }>;
  open(path: string, flags: string | number): Promise<Handle>;
  unlink(path: string): Promise<void>;
  /** An id of the host's current boot, the same in all its containers; `undefined` if it has none. */
  bootId(): string | undefined;
}

/** The system's disk. */
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
  linkSync: fs.linkSync,
  unlinkSync: fs.unlinkSync,
  readdirSync: fs.readdirSync,
  mkdirSync: makeFolderChain,
  fdatasync: promisify(fs.fdatasync),
  read: promisify(fs.read),
  open: fs.promises.open,
  unlink: fs.promises.unlink,
  bootId: readBootId,
};

/** Linux makes a new one at each boot (random(4)). */
function readBootId(): string | undefined {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes a folder and those above it, whatever other processes make of them at the same time. Node's
 * own recursive form never returns where a folder refuses with ENOENT for ever, as /proc does.
 */
function makeFolderChain(folder: string): void {
  if (isFolder(folder)) return;
  const parent = path.dirname(folder);
  if (parent !== folder) makeFolderChain(parent);
  try {
    fs.mkdirSync(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The file systems that only one host writes to, by Linux's numbers (statfs(2)). */
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
 * @returns whether only this host writes to its file system, so that what a stat or a read gives is
 *   never out of date; false where that is not known
 */
export function isLocal(folder: string, disk: Disk): boolean {
  try {
    return LOCAL_TYPES.includes(disk.statfsSync(folder).type);
  } catch {
    return false;
  }
}
