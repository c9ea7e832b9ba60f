// The model disk as one process sees it: its handles, its errors, and its death in the middle.
import { constants } from 'node:fs';
import type { Disk, Handle, Stat } from '../../../lib/disk/disk.ts';
import { type Inode, toError } from './model-disk.ts';
import { type Call, Killed, type Process } from './world.ts';

interface Open {
  readonly inode: Inode;
  readonly path: string;
  readonly isAppend: boolean;
  /** The failed syncs of the file that this handle was told of. */
  seenFailures: number;
}

/** Linux's numbers for file systems (statfs(2)). */
const EXT4 = 0xef53;
const NFS = 0x6969;

/** How long a sync takes, and any other asynchronous call. */
const SYNC_MS = 8;
const CALL_MS = 1;

export class ProcessDisk implements Disk {
  readonly #process: Process;
  readonly #open = new Map<number, Open>();
  #lastFd = 2;

  constructor(process: Process) {
    this.#process = process;
  }

  closeAll(): void {
    for (const { inode } of this.#open.values()) this.#model.close(inode);
    this.#open.clear();
  }

  openSync(path: string, flags: string | number): number {
    return this.#call('openSync', path, () => this.#doOpen(path, flags));
  }

  closeSync(fd: number): void {
    const { path } = this.#get(fd);
    this.#doAlways('closeSync', path, () => this.#doClose(fd));
  }

  fstatSync(fd: number): Stat {
    const { inode, path } = this.#get(fd);
    return this.#call('fstatSync', path, () => this.#model.toStat(inode));
  }

  statSync(path: string): Stat | undefined {
    return this.#call('statSync', path, () => {
      const inode = this.#model.find(path);
      return inode && this.#model.toStat(inode);
    });
  }

  statfsSync(path: string): { type: number } {
    const type = this.#process.world.hasLinks ? EXT4 : NFS;
    return this.#call('statfsSync', path, () => ({ type }));
  }

  bootId(): string {
    return this.#process.world.boot;
  }

  existsSync(path: string): boolean {
    try {
      return this.#call('existsSync', path, () => this.#model.find(path) !== undefined);
    } catch (error) {
      // Node's own gives no reason either.
      if (error instanceof Killed) throw error;
      return false;
    }
  }

  readSync(fd: number, into: Buffer, offset: number, length: number, position: number): number {
    const { inode, path } = this.#get(fd);
    return this.#call('readSync', path, () =>
      inode.data.subarray(position, position + length).copy(into, offset),
    );
  }

  writeSync(fd: number, bytes: Buffer, offset = 0, length = bytes.length, position?: number) {
    const { inode, path, isAppend } = this.#get(fd);
    const piece = bytes.subarray(offset, offset + length);
    const write = (part: Buffer): number => {
      this.#model.write(inode, part, isAppend ? inode.data.length : (position ?? 0));
      return part.length;
    };
    const short = (): number =>
      write(piece.subarray(0, this.#process.world.random.below(piece.length)));
    return this.#call('writeSync', path, () => write(piece), short);
  }

  ftruncateSync(fd: number, sizeBytes: number): void {
    const { inode, path } = this.#get(fd);
    this.#call('ftruncateSync', path, () => {
      if (!this.#process.world.lies.has('no-truncate')) this.#model.truncate(inode, sizeBytes);
    });
  }

  futimesSync(fd: number, _: number, mtimeSeconds: number): void {
    const { inode, path } = this.#get(fd);
    this.#call('futimesSync', path, () => this.#model.touch(inode, mtimeSeconds * 1000));
  }

  linkSync(existingPath: string, newPath: string): void {
    this.#call('linkSync', newPath, () => {
      const { world } = this.#process;
      const inode = this.#model.find(existingPath);
      if (inode === undefined) throw toError('ENOENT');
      const isThere = this.#model.find(newPath) !== undefined;
      if (isThere && !world.lies.has('no-exclusive-create')) throw toError('EEXIST');
      this.#model.link(inode, newPath);
    });
  }

  unlinkSync(path: string): void {
    this.#call('unlinkSync', path, () => this.#model.unlink(path));
  }

  readdirSync(path: string): string[] {
    return this.#call('readdirSync', path, () => {
      const inode = this.#model.find(path);
      if (inode === undefined) throw toError('ENOENT');
      return [...inode.entries.keys()];
    });
  }

  mkdirSync(path: string): string | undefined {
    return this.#call('mkdirSync', path, () => {
      let made: string | undefined;
      let at = '';
      for (const name of path.split('/').filter(Boolean)) {
        at += `/${name}`;
        if (this.#model.find(at) !== undefined) continue;
        this.#model.create(at, true);
        made ??= at;
      }
      return made;
    });
  }

  async fdatasync(fd: number): Promise<void> {
    await this.#syncLater('fdatasync', this.#get(fd));
  }

  async read(fd: number, into: Buffer, offset: number, length: number, position: number) {
    const { inode, path } = this.#get(fd);
    const copy = (): number => inode.data.subarray(position, position + length).copy(into, offset);
    const bytesRead = await this.#later(CALL_MS, () => this.#call('read', path, copy));
    return { bytesRead };
  }

  async open(path: string, flags: string | number): Promise<Handle> {
    const fd = await this.#later(CALL_MS, () =>
      this.#call('open', path, () => this.#doOpen(path, flags)),
    );
    return this.#toHandle(fd);
  }

  async unlink(path: string): Promise<void> {
    await this.#later(CALL_MS, () => this.#call('unlink', path, () => this.#model.unlink(path)));
  }

  get #model() {
    return this.#process.world.disk;
  }

  #toHandle(fd: number): Handle {
    const open = this.#get(fd);
    const { inode, path } = open;
    const later = <T>(name: Call['name'], run: () => T): Promise<T> =>
      this.#later(CALL_MS, () => this.#call(name, path, run));
    return {
      write: (bytes) =>
        later('handle.write', () => {
          this.#model.write(inode, bytes, inode.data.length);
          return { bytesWritten: bytes.length };
        }),
      sync: () => this.#syncLater('handle.sync', open),
      datasync: () => this.#syncLater('handle.sync', open),
      close: () =>
        this.#later(CALL_MS, () => this.#doAlways('handle.close', path, () => this.#doClose(fd))),
    };
  }

  /** Asks whether the call fails, and makes it: all of it, or nothing. */
  #call<T>(name: Call['name'], path: string, run: () => T, short?: () => T): T {
    const process = this.#process;
    if (process.isDead) throw new Killed();
    const fault = process.world.onCall({ process, name, path });
    if (process.isDead) throw new Killed();
    if (fault === undefined) return run();
    if ('errno' in fault) throw toError(fault.errno);
    if ('isShort' in fault) return (short ?? run)();
    if (fault.dies === 'after') (process.world.random.chance(0.3) && short ? short : run)();
    process.die();
    throw new Killed();
  }

  /** A call that does its work even where it fails, as close does. */
  #doAlways(name: Call['name'], path: string, run: () => void): void {
    try {
      this.#call(name, path, () => undefined);
    } finally {
      if (!this.#process.isDead) run();
    }
  }

  async #later<T>(aboutMs: number, run: () => T): Promise<T> {
    await this.#process.wait(aboutMs * 2 * this.#process.world.random.next());
    return run();
  }

  async #syncLater(name: Call['name'], open: Open): Promise<void> {
    const { inode, path } = open;
    const length = this.#model.countChanges(inode);
    if (this.#process.isDead) throw new Killed();
    try {
      await this.#later(SYNC_MS, () => this.#call(name, path, () => this.#doSync(inode, length)));
    } catch (error) {
      this.#failSync(inode, length, error);
      open.seenFailures = inode.failedSyncs;
      throw error;
    }
    // Linux tells of a failure through each handle that was open at the time, once (errseq_t).
    if (inode.failedSyncs === open.seenFailures) return;
    open.seenFailures = inode.failedSyncs;
    this.#process.failedSyncAtMs = this.#process.world.nowMs;
    throw toError('EIO');
  }

  #doSync(inode: Inode, changeCount: number): void {
    const { lies } = this.#process.world;
    if (inode.isFolder) {
      if (!lies.has('no-folder-sync')) this.#model.syncEntries(inode, changeCount);
    } else if (!lies.has('no-data-sync')) {
      this.#model.sync(inode, changeCount);
    }
  }

  #failSync(inode: Inode, changeCount: number, error: unknown): void {
    if (error instanceof Killed || inode.isFolder) return;
    this.#model.failSync(inode, changeCount, this.#process.world.random);
  }

  #doOpen(path: string, flags: string | number): number {
    let inode = this.#model.find(path);
    const isExclusive = flags === 'wx' && !this.#process.world.lies.has('no-exclusive-create');
    if (inode !== undefined && isExclusive) throw toError('EEXIST');
    const isMade = typeof flags === 'number' ? flags & constants.O_CREAT : /w|a/.test(flags);
    if (inode === undefined) {
      if (!isMade) throw toError('ENOENT');
      inode = this.#model.create(path, false);
    }
    inode.openCount += 1;
    this.#lastFd += 1;
    const seenFailures = inode.failedSyncs;
    this.#open.set(this.#lastFd, { inode, path, isAppend: flags === 'a+', seenFailures });
    return this.#lastFd;
  }

  #doClose(fd: number): void {
    const { inode } = this.#get(fd);
    this.#open.delete(fd);
    this.#model.close(inode);
  }

  #get(fd: number): Open {
    if (this.#process.isDead) throw new Killed();
    const open = this.#open.get(fd);
    if (open === undefined) throw toError('EBADF');
    return open;
  }

  /** How many handles it holds. */
  get openCount(): number {
    return this.#open.size;
  }
}
