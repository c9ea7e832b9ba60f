/** After a power loss: puts into the rooms' files what only the journals have (decision 17). */
import type { Disk } from '../disk/disk.ts';
import { readAt, tryClose, writeWhole } from '../disk/files.ts';
import { toErrno } from '../errors.ts';
import type { JournalRecord } from './record.ts';

/** What somebody did to this room alone; it stops the recovery of no other. */
const NOT_WRITABLE = ['ENOENT', 'EISDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENXIO'];

/** What became of the records of one room. */
export interface RoomReplay {
  /** How many bytes were put back. */
  readonly restoredBytes: number;
  /** The records that no longer fit: somebody edited, replaced or deleted the room. In their order. */
  readonly misfits: readonly JournalRecord[];
}

/** Why the records of a room are replayed. */
export interface ReplayOptions {
  /** Whether the host lost power, so that what the file lacks is put back. */
  readonly isAfterPowerLoss: boolean;
}

/**
 * Replays the records of one room, and syncs it. The caller holds the room's lock. Nothing is changed where
 * a power loss does not explain the difference.
 *
 * @param file the room's path
 * @param records of this room, from all journals, in any order
 * @throws the system's error; it is safe to begin again
 */
export async function replayRoom(
  file: string,
  records: readonly JournalRecord[],
  options: ReplayOptions,
  disk: Disk,
): Promise<RoomReplay> {
  const valid = dropVoid(records);
  const fd = tryOpen(file, disk);
  if (fd === undefined) return { restoredBytes: 0, misfits: valid };
  try {
    if (!disk.fstatSync(fd).isFile()) return { restoredBytes: 0, misfits: valid };
    const result = replayInto(fd, valid, options, disk);
    await disk.fdatasync(fd);
    return result;
  } finally {
    tryClose(fd, disk);
  }
}

function replayInto(
  fd: number,
  records: readonly JournalRecord[],
  { isAfterPowerLoss }: ReplayOptions,
  disk: Disk,
): RoomReplay {
  const stat = disk.fstatSync(fd);
  const misfits: JournalRecord[] = [];
  let sizeBytes = stat.size;
  let restoredBytes = 0;
  let isEdited = false;
  for (const record of records) {
    const { before, bytes, offset, ino, birthtimeMs } = record;
    const start = offset - before.length;
    const whole = Buffer.concat([before, bytes]);
    const found = readAt(fd, start, whole.length, disk);
    const isThere = found.subarray(before.length).equals(bytes);
    const isSameFile = ino === stat.ino && birthtimeMs === stat.birthtimeMs;
    const isLost = start <= sizeBytes && isLeftOf(found, whole);
    if (isThere) {
      // A sync of it may have failed, and then the next one would not write it (fsync(2)).
      writeWhole(fd, bytes, offset, disk);
      isEdited = false;
    } else if (isAfterPowerLoss && isSameFile && !isEdited && isLost) {
      writeWhole(fd, whole, start, disk);
      sizeBytes = Math.max(sizeBytes, offset + bytes.length);
      restoredBytes += bytes.length;
    } else {
      misfits.push(record);
      // The offsets of what follows may have been true before the edit only.
      if (isSameFile) isEdited = true;
    }
  }
  return { restoredBytes, misfits };
}

/**
 * Orders records by their stamps, and leaves out those that were rolled back: a later record at an offset
 * before their end was written over them, or truncated the file.
 */
function dropVoid(records: readonly JournalRecord[]): JournalRecord[] {
  const latestFirst = [...records].sort((one, other) => (one.stamp < other.stamp ? 1 : -1));
  const valid: JournalRecord[] = [];
  const lowest = new Map<string, number>();
  for (const record of latestFirst) {
    const identity = `${record.ino} ${record.birthtimeMs}`;
    const limit = lowest.get(identity) ?? Number.POSITIVE_INFINITY;
    const isVoid = record.offset + record.bytes.length > limit;
    lowest.set(identity, Math.min(limit, record.offset));
    if (!isVoid && record.bytes.length > 0) valid.push(record);
  }
  return valid.reverse();
}

/** Whether it is what a power loss leaves of some bytes: their beginning, or zeros here and there. */
function isLeftOf(found: Buffer, bytes: Buffer): boolean {
  return found.every((byte, index) => byte === 0 || byte === bytes[index]);
}

/** @returns `undefined` if there is no file that this process may write to */
function tryOpen(file: string, disk: Disk): number | undefined {
  try {
    return disk.openSync(file, 'r+');
  } catch (error) {
    if (NOT_WRITABLE.includes(toErrno(error) ?? '')) return undefined;
    throw error;
  }
}
