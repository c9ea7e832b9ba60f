/** Finds the journals that others left, replays those of a power loss, and removes what is done. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Disk } from '../disk/disk.ts';
import { syncFolder } from '../disk/durability.ts';
import { readAt, removeIfThere, tryClose, tryOpenToRead } from '../disk/files.ts';
import { JOURNAL_ENDING } from './journal.ts';
import {
  decodeFrame,
  decodeHeader,
  FIRST_FRAME_BYTES,
  type Header,
  type JournalRecord,
  type Origin,
  SECTOR_BYTES,
} from './record.ts';
import { type ReplayOptions, replayRoom } from './replay.ts';

/** For how long a journal must not change until its owner counts as gone. */
const QUIET_MS = 60_000;

/** What recovery needs of the store: where a room's file is, under its lock. */
export interface Rooms {
  /** Calls `work` with the path of a room's file while the room's lock is held. */
  withLock<T>(name: string, work: (file: string) => Promise<T>): Promise<T>;
  /** Keeps records that no longer fit into their room, durably. */
  keep(name: string, misfits: readonly JournalRecord[]): Promise<void>;
}

/** What replay put back: into how many rooms, and how much. */
export interface Replayed {
  readonly roomCount: number;
  readonly restoredBytes: number;
}

/** A journal that was found. */
export interface FoundJournal {
  readonly file: string;
  /** `undefined` if it has no whole header: then it has no record that counts. */
  readonly header: Header | undefined;
}

/**
 * Lists the journals in a folder.
 *
 * @param folder the journals' folder; it need not exist
 * @throws the system's error if it can't be listed or read
 */
export function findJournals(folder: string, disk: Disk): FoundJournal[] {
  if (disk.statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  const names = disk.readdirSync(folder).filter((name) => name.endsWith(JOURNAL_ENDING));
  return names.sort().flatMap((name) => {
    const file = path.join(folder, name);
    const fd = tryOpenToRead(file, disk);
    if (fd === undefined) return [];
    try {
      return [{ file, header: pickHeader(readAt(fd, 0, FIRST_FRAME_BYTES, disk)) }];
    } finally {
      tryClose(fd, disk);
    }
  });
}

/** Whether a journal's rooms may lack what it has: the host lost power since it was written. */
export function needsReplay({ header }: FoundJournal, origin: Origin | undefined): boolean {
  if (header === undefined) return false;
  return header.boot !== origin?.boot || header.device !== origin.device;
}

/**
 * Replays journals, and removes them. Several processes may do this at the same time: each replays all, and
 * none changes what another one has put back. A journal whose owner turns out to live stays.
 *
 * @param folder the journals' folder
 * @throws the system's error; it is safe to begin again
 */
export async function replayJournals(
  folder: string,
  journals: readonly FoundJournal[],
  options: ReplayOptions,
  rooms: Rooms,
  disk: Disk,
): Promise<Replayed> {
  const opened: OpenJournal[] = [];
  try {
    for (const { file } of journals) opened.push(...tryOpen(file, disk));
    const all = opened.flatMap(({ records }) => records);
    const replayed = await replayRecords(all, options, rooms, disk);
    // The oldest goes first, durably: a record that voids another one must not be gone before it.
    opened.sort((one, other) => (toNewest(one) < toNewest(other) ? -1 : 1));
    for (const journal of opened) {
      if (toState(journal.file, disk) === journal.state) {
        removeIfThere(journal.file, disk);
        // An owner that lives may have written to it just before that. From now on it notices.
        const late = readRecords(journal.fd, disk).filter(({ stamp }) => stamp > toNewest(journal));
        await replayRecords(late, options, rooms, disk);
      }
      await syncFolder(folder, disk, () => undefined);
    }
    return replayed;
  } finally {
    for (const { fd } of opened) tryClose(fd, disk);
  }
}

/**
 * Removes the journals of this boot whose owners are gone: killed processes leave theirs. A live owner
 * empties its journal within seconds, so one that does not change for a minute is not needed by anybody.
 * Their rooms lack nothing, and are made durable.
 *
 * @param quietMs for how long a journal must not change
 * @throws the system's error; what is left can be retired later
 */
export async function retireJournals(
  folder: string,
  journals: readonly FoundJournal[],
  rooms: Rooms,
  disk: Disk,
  quietMs = QUIET_MS,
): Promise<void> {
  if (journals.length === 0) return;
  const before = journals.map(({ file }) => toState(file, disk));
  await sleep(quietMs, undefined, { ref: false });
  const quiet = journals.filter(({ file }, index) => toState(file, disk) === before[index]);
  await replayJournals(folder, quiet, { isAfterPowerLoss: false }, rooms, disk);
}

async function replayRecords(
  records: readonly JournalRecord[],
  options: ReplayOptions,
  rooms: Rooms,
  disk: Disk,
): Promise<Replayed> {
  const replayed = { roomCount: 0, restoredBytes: 0 };
  for (const [name, ofRoom] of groupByRoom(records)) {
    const { restoredBytes, misfits } = await rooms.withLock(name, (file) =>
      replayRoom(file, ofRoom, options, disk),
    );
    if (restoredBytes > 0) replayed.roomCount += 1;
    replayed.restoredBytes += restoredBytes;
    if (misfits.length > 0) await rooms.keep(name, misfits);
  }
  return replayed;
}

/** A journal that is being recovered. */
interface OpenJournal {
  readonly file: string;
  readonly fd: number;
  /** In which state it was when its records were read. */
  readonly state: string | undefined;
  readonly records: JournalRecord[];
}

/** @returns nothing if there is no such file any more */
function tryOpen(file: string, disk: Disk): OpenJournal[] {
  const state = toState(file, disk);
  const fd = tryOpenToRead(file, disk);
  if (fd === undefined) return [];
  try {
    return [{ file, fd, state, records: readRecords(fd, disk) }];
  } catch (error) {
    tryClose(fd, disk);
    throw error;
  }
}

/** @returns what changes with every write to a file; `undefined` if it is gone */
function toState(file: string, disk: Disk): string | undefined {
  const stat = disk.statSync(file, { throwIfNoEntry: false });
  return stat && `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}

function toNewest({ records }: OpenJournal): bigint {
  return records.reduce((newest, { stamp }) => (stamp > newest ? stamp : newest), -1n);
}

/** Reads all whole frames of a journal's generation. */
export function readRecords(fd: number, disk: Disk): JournalRecord[] {
  const journal = readAt(fd, 0, disk.fstatSync(fd).size, disk);
  const header = pickHeader(journal);
  if (header === undefined) return [];
  const records: JournalRecord[] = [];
  // A frame that can't be read does not hide those behind it.
  for (let at = FIRST_FRAME_BYTES; at < journal.length; ) {
    const frame = decodeFrame(journal, at, header.generation);
    if (frame !== undefined) records.push(...frame.records);
    at = frame?.end ?? at + SECTOR_BYTES;
  }
  return records;
}

/** Groups records by their room. */
function groupByRoom(records: readonly JournalRecord[]): Map<string, JournalRecord[]> {
  const rooms = new Map<string, JournalRecord[]>();
  for (const record of records) {
    const ofRoom = rooms.get(record.name);
    if (ofRoom === undefined) rooms.set(record.name, [record]);
    else ofRoom.push(record);
  }
  return rooms;
}

function pickHeader(head: Buffer): Header | undefined {
  const [first, second] = [0, SECTOR_BYTES].map((at) => decodeHeader(head.subarray(at)));
  if (first === undefined || second === undefined) return first ?? second;
  return first.counter > second.counter ? first : second;
}
