// A disk in memory that keeps what was synced apart from what was only written, for contents and
// for folder entries alike, and gives the images that a power loss may leave.
import type { Stat } from '../../../lib/disk/disk.ts';
import type { Random } from './random.ts';

/** Something that was done to a file and not synced yet. */
type Change = { at: number; bytes: Buffer } | { cutTo: number };

/** Something that was done to a folder. */
interface EntryChange {
  readonly name: string;
  readonly inode: Inode | undefined;
}

/** A file or folder. */
export interface Inode {
  ino: number;
  isFolder: boolean;
  /** What every process sees. */
  data: Buffer;
  entries: Map<string, Inode>;
  /** What is on disk for sure. */
  syncedData: Buffer;
  syncedEntries: Map<string, Inode>;
  /** What may be there as well, or parts of it, in any mix. */
  changes: Change[];
  entryChanges: EntryChange[];
  /** How many changes were before those. */
  doneCount: number;
  /** The last sync failed, so nothing is sure about what it covered. */
  isUnsure: boolean;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
  openCount: number;
  /** How many of its syncs failed. */
  failedSyncs: number;
}

/** Kernel clocks tick: two changes within one tick have the same time. */
const TICK_MS = 4;

/** What a power loss may do to what was not synced. */
export type Loss = 'keep' | 'drop' | 'mix';

export class ModelDisk {
  readonly root: Inode;
  nowMs = 1_000_000;
  #lastIno = 1;
  #freeInos: number[] = [];

  constructor() {
    this.root = this.#make(true);
  }

  /** Finds what is at a path. */
  find(path: string): Inode | undefined {
    let inode: Inode | undefined = this.root;
    for (const name of path.split('/').filter(Boolean)) inode = inode?.entries.get(name);
    return inode;
  }

  /** Makes a file or folder in an existing folder. */
  create(path: string, isFolder: boolean): Inode {
    const { folder, name } = this.#findParent(path);
    const inode = this.#make(isFolder);
    folder.entries.set(name, inode);
    folder.entryChanges.push({ name, inode });
    this.#stamp(folder);
    return inode;
  }

  /** Gives a file another name; one that is there already goes only where the disk lies. */
  link(inode: Inode, path: string): void {
    const { folder, name } = this.#findParent(path);
    folder.entries.set(name, inode);
    folder.entryChanges.push({ name, inode });
    inode.ctimeMs = this.#toTick();
    this.#stamp(folder);
  }

  /** Gives what is at one path the name of another, which is replaced. */
  rename(from: string, to: string): void {
    const inode = this.find(from)!;
    if (this.find(to) !== undefined) this.unlink(to);
    this.link(inode, to);
    this.unlink(from);
  }

  /** Removes an entry. */
  unlink(path: string): void {
    const { folder, name } = this.#findParent(path);
    const inode = folder.entries.get(name);
    if (inode === undefined) throw toError('ENOENT');
    folder.entries.delete(name);
    folder.entryChanges.push({ name, inode: undefined });
    inode.ctimeMs = this.#toTick();
    this.#stamp(folder);
    this.#freeIfUnused(inode);
  }

  close(inode: Inode): void {
    inode.openCount -= 1;
    this.#freeIfUnused(inode);
  }

  write(inode: Inode, bytes: Buffer, at: number): void {
    inode.data = applyChange(inode.data, { at, bytes });
    inode.changes.push({ at, bytes: Buffer.from(bytes) });
    this.#stamp(inode);
  }

  truncate(inode: Inode, cutTo: number): void {
    inode.data = applyChange(inode.data, { cutTo });
    inode.changes.push({ cutTo });
    this.#stamp(inode);
  }

  touch(inode: Inode, mtimeMs: number): void {
    inode.mtimeMs = mtimeMs;
    inode.ctimeMs = this.#toTick();
  }

  /** How many changes there have been: what a sync that begins now covers. */
  countChanges(inode: Inode): number {
    return inode.doneCount + inode.changes.length + inode.entryChanges.length;
  }

  /** Makes the changes up to this count sure. */
  sync(inode: Inode, changeCount: number): void {
    for (const change of takeChanges(inode, changeCount)) {
      inode.syncedData = applyChange(inode.syncedData, change);
    }
    inode.isUnsure = false;
  }

  /** Makes a folder's entries sure, up to this count of changes. */
  syncEntries(inode: Inode, changeCount = this.countChanges(inode)): void {
    const changes = inode.entryChanges.splice(0, Math.max(0, changeCount - inode.doneCount));
    inode.doneCount += changes.length;
    for (const change of changes) {
      if (change.inode === undefined) inode.syncedEntries.delete(change.name);
      else inode.syncedEntries.set(change.name, change.inode);
    }
  }

  /**
   * A sync that fails: the system counts what it covered as written from now on, and never tries
   * again, but who knows what of it is there (as Linux does, «fsyncgate»).
   */
  failSync(inode: Inode, changeCount: number, random: Random): void {
    for (const change of takeChanges(inode, changeCount)) {
      for (const part of loseParts(change, inode.syncedData, 'mix', random)) {
        inode.syncedData = applyChange(inode.syncedData, part);
      }
    }
    inode.isUnsure = true;
    inode.failedSyncs += 1;
  }

  /** The disk as a power loss at this moment may leave it. */
  crash(loss: Loss, random: Random): ModelDisk {
    const image = new ModelDisk();
    image.nowMs = this.nowMs + 5000;
    image.#lastIno = this.#lastIno;
    const copies = new Map<Inode, Inode>();
    copyAfterCrash(this.root, image.root, loss, random, copies, (isFolder) =>
      image.#make(isFolder),
    );
    return image;
  }

  toStat(inode: Inode): Stat {
    const { ino, data, mtimeMs, ctimeMs, birthtimeMs, isFolder } = inode;
    const isFile = (): boolean => !isFolder;
    const nlink = countLinks(this.root, inode);
    const times = { mtimeMs, ctimeMs, birthtimeMs };
    return { dev: 1, ino, mode: 0o100644, nlink, size: data.length, ...times, isFile };
  }

  #findParent(path: string): { folder: Inode; name: string } {
    const cut = path.lastIndexOf('/');
    const folder = this.find(path.slice(0, cut));
    if (folder === undefined) throw toError('ENOENT');
    return { folder, name: path.slice(cut + 1) };
  }

  #make(isFolder: boolean): Inode {
    // A number that is free again is taken first, as file systems do.
    const ino = this.#freeInos.pop() ?? ++this.#lastIno;
    const atMs = this.#toTick();
    return {
      ino,
      isFolder,
      data: Buffer.alloc(0),
      entries: new Map(),
      syncedData: Buffer.alloc(0),
      syncedEntries: new Map(),
      changes: [],
      entryChanges: [],
      doneCount: 0,
      isUnsure: false,
      mtimeMs: atMs,
      ctimeMs: atMs,
      birthtimeMs: atMs,
      openCount: 0,
      failedSyncs: 0,
    };
  }

  #freeIfUnused(inode: Inode): void {
    if (inode === this.root || inode.openCount > 0 || countLinks(this.root, inode) > 0) return;
    // Once: two files with one number would be no disk's fault but the model's.
    if (!this.#freeInos.includes(inode.ino) && !hasNumber(this.root, inode.ino)) {
      this.#freeInos.push(inode.ino);
    }
  }

  #stamp(inode: Inode): void {
    inode.mtimeMs = this.#toTick();
    inode.ctimeMs = inode.mtimeMs;
  }

  #toTick(): number {
    return Math.floor(this.nowMs / TICK_MS) * TICK_MS;
  }
}

/** A system's error. */
export function toError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

function takeChanges(inode: Inode, changeCount: number): Change[] {
  const taken = inode.changes.splice(0, Math.max(0, changeCount - inode.doneCount));
  inode.doneCount += taken.length;
  return taken;
}

/** Whether a file or folder that has a name has this number. */
function hasNumber(folder: Inode, ino: number): boolean {
  return [...folder.entries.values()].some(
    (inode) => inode.ino === ino || (inode.isFolder && hasNumber(inode, ino)),
  );
}

function countLinks(folder: Inode, wanted: Inode): number {
  let count = 0;
  for (const inode of folder.entries.values()) {
    if (inode === wanted) count += 1;
    else if (inode.isFolder) count += countLinks(inode, wanted);
  }
  return count;
}

function applyChange(data: Buffer, change: Change): Buffer {
  const size = 'cutTo' in change ? change.cutTo : change.at + change.bytes.length;
  const grown = Buffer.alloc('cutTo' in change ? size : Math.max(size, data.length));
  data.copy(grown, 0, 0, Math.min(data.length, grown.length));
  if ('bytes' in change) change.bytes.copy(grown, change.at);
  return grown;
}

/**
 * What of a change survives: all, nothing, its beginning, or pieces. Between them are zeros, or what was
 * there before: a disk loses what is written to a sector, and not the sector.
 */
function loseParts(change: Change, old: Buffer, loss: Loss, random: Random): Change[] {
  const fate = loss === 'mix' ? random.pick(['keep', 'drop', 'cut', 'zero', 'holes']) : loss;
  if (fate === 'drop') return [];
  if (fate === 'keep' || 'cutTo' in change) return [change];
  const { at, bytes } = change;
  const cut = random.below(bytes.length + 1);
  if (fate === 'cut') return [{ at, bytes: bytes.subarray(0, cut) }];
  const zeroed = Buffer.from(bytes);
  const end = fate === 'zero' ? bytes.length : cut + random.below(bytes.length - cut + 1);
  zeroed.fill(0, cut, end);
  old.subarray(at + cut, at + end).copy(zeroed, cut);
  return [{ at, bytes: zeroed }];
}

function copyAfterCrash(
  from: Inode,
  to: Inode,
  loss: Loss,
  random: Random,
  copies: Map<Inode, Inode>,
  make: (isFolder: boolean) => Inode,
): void {
  copies.set(from, to);
  const { mtimeMs, ctimeMs, birthtimeMs, ino } = from;
  Object.assign(to, { mtimeMs, ctimeMs, birthtimeMs, ino });
  let data = from.syncedData;
  for (const change of from.changes) {
    for (const part of loseParts(change, data, loss, random)) data = applyChange(data, part);
  }
  to.data = data;
  to.syncedData = data;
  for (const name of new Set([...from.syncedEntries.keys(), ...from.entries.keys()])) {
    const [synced, written] = [from.syncedEntries.get(name), from.entries.get(name)];
    const isKept = loss === 'mix' ? random.chance(0.5) : loss === 'keep';
    const chosen = isKept ? written : synced;
    if (chosen === undefined) continue;
    let copy = copies.get(chosen);
    if (copy === undefined) {
      copy = make(chosen.isFolder);
      copyAfterCrash(chosen, copy, loss, random, copies, make);
    }
    to.entries.set(name, copy);
    to.syncedEntries.set(name, copy);
  }
}
