/** Small deeds on a disk, made of its calls. */
import { toErrno } from '../errors.ts';
import { type Disk, realDisk } from './disk.ts';

/**
 * Makes a file that must not exist yet.
 *
 * @returns its open handle, or `undefined` where it exists
 */
export function createExclusive(file: string, disk: Disk = realDisk): number | undefined {
  try {
    return disk.openSync(file, 'wx', 0o644);
  } catch (error) {
    if (toErrno(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/**
 * Writes a text all at once.
 *
 * @param at where in the file
 * @throws the system's error, ENOSPC where only a part was written
 */
export function writeWhole(fd: number, text: string, at: number, disk: Disk): void {
  const bytes = Buffer.from(text, 'latin1');
  if (disk.writeSync(fd, bytes, 0, bytes.length, at) === bytes.length) return;
  const error = new Error('the file could not be written whole');
  throw Object.assign(error, { code: 'ENOSPC' });
}

/** Removes a file; it may be gone already. */
export function removeIfThere(file: string, disk: Disk): void {
  try {
    disk.unlinkSync(file);
  } catch (error) {
    if (toErrno(error) !== 'ENOENT') throw error;
  }
}

/** Closes a handle, whatever close says: Linux lets it go in any case (close(2)). */
export function tryClose(fd: number, disk: Disk): void {
  try {
    disk.closeSync(fd);
  } catch {
    // It is gone.
  }
}
