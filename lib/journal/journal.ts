/**
 * A write-ahead journal: one sync makes the writes of many rooms durable (decision 17).
 *
 * A room's file is written first, so it is complete for every process. {@link Journal.commit} makes the
 * write durable: it gathers what is committed in a tick, writes it as one frame and syncs the journal once.
 * Checkpoints in the background sync the rooms' files and empty the journal. After a power loss `replay.ts`
 * puts into the files what they lack.
 *
 * If the journal fails, each room's file is synced instead. This folder does not decide who may
 * write to a room (the lock does), nor what is written.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import type { Disk } from '../disk/disk.ts';
import { syncFolder } from '../disk/durability.ts';
import type { JournalRecord, Origin } from './record.ts';
import { type JournalLimits, Segment } from './segment.ts';

/** The ending of a journal's file name. */
export const JOURNAL_ENDING = '.journal';

/** After this many journals had to be left on disk, this process stops using a journal. */
const MAX_LEFT = 4;

const LIMITS: JournalLimits = {
  maxBytes: 32 << 20,
  maxAgeMs: 15_000,
  idleMs: 1000,
  growBytes: 1 << 20,
  pauseMs: 5000,
};

/** How often age and idleness are checked. */
const CHECK_MS = 500;

/** What is to be made durable: bytes that were just appended to a room's file. */
export interface Write {
  /** The room's file: its path, and its open handle. */
  readonly file: string;
  readonly fd: number;
  /** Which file it is. */
  readonly ino: number;
  readonly birthtimeMs: number;
  /** Where the bytes begin; the file ends with them. No bytes: it was truncated to here. */
  readonly offset: number;
  /**
   * The bytes just before `offset`: at least all that may not be durable yet, and a few more to
   * recognise the position.
   */
  readonly before: Buffer;
  readonly bytes: Buffer;
}

/** What a journal reports. */
export interface JournalEvents {
  /** The journal was synced; how long it took, in milliseconds. */
  onSync(syncMs: number): void;
  /** The journal failed, and rooms are synced one by one for a while; or a checkpoint failed. */
  onFailure(error: unknown): void;
}

/** What a journal is made of. */
export interface JournalOptions {
  /** A folder of its own for the journals; made if it does not exist. */
  readonly folder: string;
  /** Where it is written. */
  readonly origin: Origin;
  readonly events: JournalEvents;
  readonly disk: Disk;
  /** Other limits than the usual ones. */
  readonly limits?: Partial<JournalLimits>;
}

interface Waiting {
  readonly write: Write;
  readonly stamp: bigint;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The journal of one process on one folder. */
export class Journal {
  readonly #folder: string;
  readonly #origin: Origin;
  readonly #events: JournalEvents;
  readonly #disk: Disk;
  readonly #limits: JournalLimits;
  readonly #owner = randomBytes(8).toString('hex');
  readonly #timer: NodeJS.Timeout;
  #made = 0;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /**
   * The segment that is written to. While one segment is checkpointed, writes go to a second one.
   */
  #current: Segment | undefined;
  /** Emptied segments, to be used next. */
  readonly #spares: Segment[] = [];
  #checkpointing: Promise<void> | undefined;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #lastWriteMs = 0;
  #leftCount = 0;
  #isFailing = false;

  constructor({ folder, origin, events, disk, limits }: JournalOptions) {
    this.#folder = folder;
    this.#origin = origin;
    this.#events = events;
    this.#disk = disk;
    this.#limits = { ...LIMITS, ...limits };
    const checkMs = Math.min(CHECK_MS, this.#limits.idleMs);
    this.#timer = setInterval(() => this.#checkpointInTime(), checkMs).unref();
  }

  /**
   * Makes a write durable, by the journal or else by a sync of its file. The caller holds the room's lock
   * until then.
   *
   * @throws the system's error if it is not durable
   */
  commit(write: Write): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, stamp: process.hrtime.bigint(), resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Checkpoints and removes the journal. Nothing may be committed any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    await this.#checkpointing;
    await this.#startCheckpoint();
    for (const segment of this.#spares.splice(0)) this.#discard(segment);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // What else is committed in this tick goes into the same frame.
      await nextTick();
      await this.#commitAll(this.#waiting.splice(0));
    }
    this.#running = undefined;
  }

  async #commitAll(batch: readonly Waiting[]): Promise<void> {
    let segment: Segment;
    try {
      segment = await this.#getSegment();
    } catch (error) {
      this.#pause(error);
      for (const one of batch) void this.#syncFile(one);
      return;
    }
    const covered: Waiting[] = [];
    for (const one of batch) {
      if (segment.covered.tryAdd(one.write)) covered.push(one);
      // Synced on its own; the rest of the batch does not wait for it.
      else void this.#syncFile(one);
    }
    if (covered.length > 0) await this.#writeFrame(segment, covered);
  }

  async #writeFrame(segment: Segment, batch: readonly Waiting[]): Promise<void> {
    try {
      const begunMs = performance.now();
      segment.journal.write(batch.map(toRecord));
      await segment.journal.sync();
      this.#events.onSync(performance.now() - begunMs);
      // Another process may have thought this one killed, and removed the journal before this frame
      // was in it.
      if (!segment.journal.isAtItsPath()) throw new Error('another process removed the journal');
      for (const { resolve } of batch) resolve();
      this.#lastWriteMs = performance.now();
      this.#isFailing = false;
    } catch (error) {
      this.#pause(error);
      await this.#giveUp(segment, batch);
    }
  }

  /** @throws the system's error if there is no journal; an error of its own while it pauses */
  async #getSegment(): Promise<Segment> {
    if (performance.now() < this.#pausedUntilMs) throw new PausedError();
    if (this.#current?.isDue) {
      if (this.#current.isFull) await this.#checkpointing;
      if (this.#checkpointing === undefined) void this.#startCheckpoint();
    }
    if (this.#current === undefined) {
      this.#current = this.#takeSpare() ?? (await this.#makeSegment());
      this.#current.begin();
    }
    return this.#current;
  }

  /** An empty journal that did not change for long may have been removed by another process. */
  #takeSpare(): Segment | undefined {
    const spare = this.#spares.pop();
    if (spare === undefined || spare.journal.isAtItsPath()) return spare;
    spare.journal.close();
    return this.#takeSpare();
  }

  async #makeSegment(): Promise<Segment> {
    await this.#makeFolder();
    this.#made += 1;
    const file = path.join(this.#folder, `${this.#owner}-${this.#made}${JOURNAL_ENDING}`);
    const segment = new Segment(file, this.#origin, this.#limits, this.#disk);
    try {
      await segment.journal.sync();
      await this.#syncFolder();
      return segment;
    } catch (error) {
      this.#discard(segment);
      throw error;
    }
  }

  /** Another process may have made it just now, so its name is made durable in any case. */
  async #makeFolder(): Promise<void> {
    if (this.#made > 0 && this.#disk.existsSync(this.#folder)) return;
    this.#disk.mkdirSync(this.#folder, { recursive: true });
    await this.#syncFolder(path.dirname(this.#folder));
  }

  /**
   * If the folder can't be synced, a journal here would not survive a power loss: never use one.
   */
  #syncFolder(folder = this.#folder): Promise<void> {
    return syncFolder(folder, this.#disk, () => {
      this.#pausedUntilMs = Number.POSITIVE_INFINITY;
      throw new PausedError();
    });
  }

  #checkpointInTime(): void {
    const segment = this.#current;
    if (segment === undefined || this.#running !== undefined) return;
    if (this.#checkpointing !== undefined) return;
    const idleMs = performance.now() - this.#lastWriteMs;
    if (segment.isDue || idleMs > this.#limits.idleMs) void this.#startCheckpoint();
  }

  /** Lets the next frame go into another file, and empties this one once its rooms are durable. */
  async #startCheckpoint(): Promise<void> {
    const segment = this.#current;
    if (segment === undefined) return;
    this.#current = undefined;
    this.#checkpointing = this.#checkpoint(segment).finally(() => {
      this.#checkpointing = undefined;
    });
    await this.#checkpointing;
  }

  async #checkpoint(segment: Segment): Promise<void> {
    for (const error of (await segment.covered.sync()).values()) {
      this.#leave(segment, error);
      return;
    }
    try {
      await segment.journal.empty();
      this.#spares.push(segment);
    } catch (error) {
      this.#pause(error);
      this.#discard(segment);
    }
  }

  /**
   * Makes the rooms of a failed journal durable one by one, and removes it, durably: what is
   * refused now must not be replayed (if it can't be removed either, a refused message may be back
   * after a power loss: docs/reliability.md). If a room can't be synced, the journal is all there
   * is of its earlier lines, and is left to the next start.
   */
  async #giveUp(segment: Segment, batch: readonly Waiting[]): Promise<void> {
    this.#current = undefined;
    const failures = await segment.covered.sync();
    try {
      for (const error of failures.values()) throw error;
      segment.journal.remove();
      await this.#syncFolder();
    } catch (error) {
      this.#leave(segment, error);
    }
    for (const { write, resolve, reject } of batch) {
      if (failures.has(write.ino)) reject(failures.get(write.ino));
      else resolve();
    }
  }

  /** Removes a journal that nobody needs, if that can be done. */
  #discard({ journal }: Segment): void {
    try {
      journal.remove();
    } catch {
      // A later start of any process removes it.
    }
  }

  /** Leaves a journal as it is: a later start makes its rooms durable. */
  #leave(segment: Segment, error: unknown): void {
    segment.journal.close();
    this.#leftCount += 1;
    if (this.#leftCount >= MAX_LEFT) this.#pausedUntilMs = Number.POSITIVE_INFINITY;
    this.#events.onFailure(error);
  }

  /** Syncs the files themselves for a while. An outage is reported once. */
  #pause(error: unknown): void {
    if (error instanceof PausedError) return;
    const untilMs = performance.now() + this.#limits.pauseMs;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
    if (!this.#isFailing) this.#events.onFailure(error);
    this.#isFailing = true;
  }

  async #syncFile({ write, resolve, reject }: Waiting): Promise<void> {
    const begunMs = performance.now();
    try {
      await this.#disk.fdatasync(write.fd);
      this.#events.onSync(performance.now() - begunMs);
      resolve();
    } catch (error) {
      reject(error);
    }
  }
}

/** No journal is used now. */
class PausedError extends Error {}

function toRecord({ write, stamp }: Waiting): JournalRecord {
  const { file, ino, birthtimeMs, offset, before, bytes } = write;
  const name = path.basename(file, path.extname(file));
  return { name, ino, birthtimeMs, offset, stamp, before, bytes };
}
