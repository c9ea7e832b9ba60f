/** Helpers built from Disk calls. */
import { toErrno } from '../errors.ts';
import type { Disk } from './disk.ts';

/**
 * Writes all of some bytes with one call.
 *
 * @param position the offset in the file
 * @throws the system's error, ENOSPC where only a part was written
 */
export function writeWhole(fd: number, bytes: Buffer, position: number, disk: Disk): void {
  if (disk.writeSync(fd, bytes, 0, bytes.length, position) === bytes.length) return;
  const error = new Error('only a part was written: no space left');
  throw Object.assign(error, { code: 'ENOSPC' });
}

/** Removes a file, which may be gone already. */
export function removeIfThere(file: string, disk: Disk): void {
  try {
    disk.unlinkSync(file);
  } catch (error) {
    if (toErrno(error) !== 'ENOENT') throw error;
  }
}

/** Closes a descriptor and ignores errors: Linux frees the descriptor in any case (close(2)). */
export function tryClose(fd: number, disk: Disk): void {
  try {
    disk.closeSync(fd);
  } catch {
    // Nothing can be done about it.
  }
}
