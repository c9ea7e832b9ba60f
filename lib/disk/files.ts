/** Helpers built from Disk calls. */
import { toErrno } from '../errors.ts';
import { type Disk, realDisk } from './disk.ts';

/**
 * Writes all of some bytes with one call.
 *
 * @param position the offset in the file
 * @throws the system's error, ENOSPC where only a part was written
 */
export function writeWhole(fd: number, bytes: Buffer, position: number, disk: Disk): void {
  if (disk.writeSync(fd, bytes, 0, bytes.length, position) === bytes.length) return;
  throw toNoSpaceError();
}

/** The error of a write that took only a part of its bytes. */
export function toNoSpaceError(): Error {
  const error = new Error('only a part was written: no space left');
  return Object.assign(error, { code: 'ENOSPC' });
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

/**
 * Reads a part of an open file at once.
 *
 * @returns the bytes; fewer than asked for at the file's end
 * @throws the system's error
 */
export function readAt(
  fd: number,
  from: number,
  lengthBytes: number,
  disk: Disk = realDisk,
): Buffer {
  const buffer = Buffer.allocUnsafeSlow(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const count = disk.readSync(fd, buffer, filled, lengthBytes - filled, from + filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}

/**
 * Opens a file to read it.
 *
 * @returns `undefined` if there is no such file
 * @throws the system's error
 */
export function tryOpenToRead(file: string, disk: Disk): number | undefined {
  try {
    return disk.openSync(file, 'r');
  } catch (error) {
    if (toErrno(error) === 'ENOENT') return undefined;
    throw error;
  }
}
