/**
 * Makes files and their names outlive a power loss (fsync(2)).
 *
 * A failed sync of a room's own append is handled in `lib/store/folder/append.ts` (truncate) and
 * `lib/journal/journal.ts` (giveUp).
 */
import path from 'node:path';
import { toErrno } from '../errors.ts';
import type { Disk } from './disk.ts';
import { tryClose, writeWhole } from './files.ts';

/** How much of a file is written again at a time. */
const PIECE_BYTES = 1 << 20;

/**
 * What opening or syncing a folder fails with where this process can't sync it, however healthy the
 * disk is. To refuse messages would help nobody then. Every other error is a failure of the disk.
 */
const CAN_NOT_SYNC = [
  'EINVAL', // the file system has no sync for folders: 9p, FUSE, older CIFS
  'ENOTSUP', // the same, said by a server behind FUSE or NFS
  'ENOSYS', // the same, said by a sandbox
  'EACCES', // a folder that may be written to but not read; CIFS, if opened for reading
  'EPERM', // Windows, which syncs only what is open for writing; a sandbox
  'EISDIR', // a system that opens no folders
];

/**
 * Makes the names in a folder durable.
 *
 * @param onUnsyncable told the system's error where this process can't sync the folder
 * @throws the system's error where the disk failed
 */
export async function syncFolder(
  folder: string,
  disk: Disk,
  onUnsyncable: (error: unknown) => void,
): Promise<void> {
  try {
    const handle = await disk.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close().catch(() => undefined);
    }
  } catch (error) {
    if (!CAN_NOT_SYNC.includes(toErrno(error) ?? '')) throw error;
    onUnsyncable(error);
  }
}

/**
 * Makes a folder's own name durable, and those of all folders above it: another process may have
 * made any of them a moment ago, and not have synced it yet. Those that this process can't sync are
 * left to their administrator.
 *
 * @throws the system's error where the disk failed
 */
export async function syncFoldersAbove(folder: string, disk: Disk): Promise<void> {
  const parent = path.dirname(folder);
  if (parent === folder) return;
  await syncFolder(parent, disk, () => undefined);
  await syncFoldersAbove(parent, disk);
}

/**
 * Makes durable what another process wrote to a file and may not have synced. Nothing is ever cut
 * off: that process may have told somebody that it is stored.
 *
 * After a sync that failed, Linux takes what it covered for written, and the next sync reports
 * success. So the same bytes are written again in place, which makes the next sync write them.
 *
 * @param fromBytes where the other process began to write; `undefined` if it wrote nothing
 * @throws the system's error where that does not help either
 */
export async function makeWritesDurable(
  file: string,
  fromBytes: number | undefined,
  disk: Disk,
): Promise<void> {
  if (disk.statSync(file, { throwIfNoEntry: false }) === undefined) return;
  const fd = disk.openSync(file, 'r+');
  try {
    await disk.fdatasync(fd);
  } catch (error) {
    if (fromBytes === undefined) throw error;
    writeAgain(fd, fromBytes, disk);
    await disk.fdatasync(fd);
  } finally {
    tryClose(fd, disk);
  }
}

/** Overwrites a file with its own bytes from an offset on. */
function writeAgain(fd: number, fromBytes: number, disk: Disk): void {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  for (let at = fromBytes; ; ) {
    const count = disk.readSync(fd, piece, 0, piece.length, at);
    if (count === 0) return;
    writeWhole(fd, piece.subarray(0, count), at, disk);
    at += count;
  }
}
