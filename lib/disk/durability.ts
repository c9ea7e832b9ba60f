/** Making names and contents outlive a power loss (fsync(2), «the directory containing the file»). */
import fs from 'node:fs';
import path from 'node:path';
import { toErrno } from '../errors.ts';
import { type Disk, realDisk } from './disk.ts';
import { removeIfThere, tryClose } from './files.ts';

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string, disk: Disk = realDisk): Promise<void> {
  const handle = await disk.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close().catch(() => undefined);
  }
}

/**
 * Makes a folder and those above it where they are missing, and its name durable: it may be another
 * process that has just made it and did not come to that.
 *
 * @param folder its path
 * @param inner a folder in it that is made as well
 */
export function makeFolders(folder: string, inner: string, disk: Disk = realDisk): void {
  const made = disk.mkdirSync(path.join(folder, inner), { recursive: true });
  const highest = path.dirname(made ?? folder);
  for (let above = path.dirname(folder); ; above = path.dirname(above)) {
    trySyncFolder(above, disk);
    if (above.length <= highest.length) return;
  }
}

/**
 * Finds out whether the disk takes a write: a block, written and synced, and gone again.
 *
 * @param folder its path
 * @param inner a folder in it where the probe is made
 * @throws the system's error where it takes none
 */
export async function probeFolder(folder: string, inner: string, disk: Disk): Promise<void> {
  const probe = path.join(folder, inner, `${process.pid}-${performance.now()}.probe`);
  await disk.access(folder, fs.constants.W_OK);
  const handle = await disk.open(probe, 'wx');
  try {
    await handle.write(Buffer.alloc(4096));
    await handle.datasync();
  } finally {
    await handle.close();
    removeIfThere(probe, disk);
  }
}

/**
 * Makes durable what a dead writer left in a room, before readers are shown it.
 *
 * After a sync that failed the system counts what it covered as written, and the next sync says
 * that all is well. So that is taken back: nobody was told that it is stored.
 *
 * @param file the room's path
 * @param baseBytes the size before the dead writer's write, `undefined` where it wrote nothing
 * @throws the system's error, with the room as it was before or with nothing beyond the base
 */
export function settleDead(
  file: string,
  committedBytes: number | undefined,
  disk: Disk = realDisk,
): void {
  if (disk.statSync(file, { throwIfNoEntry: false }) === undefined) return;
  const fd = disk.openSync(file, 'r+');
  try {
    disk.fdatasyncSync(fd);
    syncFolderNow(path.dirname(file), disk);
  } catch (error) {
    if (committedBytes !== undefined && disk.fstatSync(fd).size > committedBytes) {
      disk.ftruncateSync(fd, committedBytes);
    }
    throw error;
  } finally {
    tryClose(fd, disk);
  }
}

function syncFolderNow(folder: string, disk: Disk): void {
  const fd = disk.openSync(folder, 'r');
  try {
    disk.fsyncSync(fd);
  } finally {
    tryClose(fd, disk);
  }
}

/** A folder that this process may not open is its administrator's to keep. */
function trySyncFolder(folder: string, disk: Disk): void {
  try {
    syncFolderNow(folder, disk);
  } catch (error) {
    const errno = toErrno(error);
    if (errno !== 'EACCES' && errno !== 'EPERM') throw error;
  }
}
