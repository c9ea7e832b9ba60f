/** The database store: the same promises as the folder's, kept by MySQL or MariaDB. */

import { type MysqlAddress, showMysqlAddress } from '../../config/store-address.ts';
import type { Log } from '../../ops/log.ts';
import type { Registry } from '../../ops/metrics.ts';
import type { Entry } from '../../room/message.ts';
import type { Archive } from '../archive.ts';
import { GroupCommit } from '../group-commit.ts';
import type { Receipt, Snapshot, Store } from '../store.ts';
import { createStoreMetrics, type StoreMetrics } from '../store-metrics.ts';
import { appendBytes, appendEntries } from './append.ts';
import { findOut, LostCommitError } from './commit.ts';
import { loadDriver, type Session } from './driver.ts';
import { Guesses } from './guesses.ts';
import { Health, toAwayError } from './health.ts';
import { Pool } from './pool.ts';
import { Snapshots } from './snapshot.ts';
import { Watches } from './watch.ts';

/** How many connections one process has at most, for each purpose. */
const LIMITS = { read: 6, write: 8 } as const;

/** How long an idle connection is kept; a writer's is closed before the server does it. */
const IDLE_MS = { read: 30_000, write: 1500 } as const;

/** What a database store is made of. */
export interface MysqlStoreOptions {
  readonly address: MysqlAddress;
  readonly log: Log;
  readonly registry: Registry;
}

/** Rooms in a database that any number of processes share. */
export class MysqlStore implements Store, Archive {
  readonly description: string;
  readonly #health: Health;
  readonly #readers: Pool;
  readonly #writers: Pool;
  readonly #views: Snapshots;
  readonly #queue: GroupCommit;
  readonly #guesses = new Guesses();
  readonly #count: StoreMetrics;
  readonly #watches = new Watches((rooms) => this.#health.guard(() => this.#views.etags(rooms)));

  /**
   * Opens a database. It may be away: then the store refuses, and works once it is there.
   *
   * @throws MissingDriverError where the package for it is not installed
   */
  static async open(options: MysqlStoreOptions): Promise<MysqlStore> {
    const toConnect = await loadDriver(options.address);
    const pools = (['read', 'write'] as const).map(
      (purpose) =>
        new Pool({ connect: toConnect(purpose), limit: LIMITS[purpose], idleMs: IDLE_MS[purpose] }),
    );
    return new MysqlStore(options, pools[0]!, pools[1]!);
  }

  private constructor(options: MysqlStoreOptions, readers: Pool, writers: Pool) {
    this.description = showMysqlAddress(options.address);
    this.#readers = readers;
    this.#writers = writers;
    this.#views = new Snapshots(readers);
    this.#queue = new GroupCommit((room, entries) => this.#commit(room, entries));
    this.#count = createStoreMetrics(options.registry);
    const { errors } = this.#count;
    this.#health = new Health(readers, options.log, () => errors.add());
    // The tables are made at once, so that the first message does not wait for them.
    void this.#health.guard(async () => undefined).catch(() => undefined);
  }

  append(room: string, entry: Entry): Promise<Receipt> {
    return this.#queue.append(room, entry);
  }

  etag(room: string): Promise<string> {
    return this.#health.guard(() => this.#views.etag(room));
  }

  async snapshot(room: string): Promise<Snapshot> {
    const view = await this.#health.guard(() => this.#views.snapshot(room));
    return { ...view, read: (from, to) => this.#health.guardChunks(view.read(from, to)) };
  }

  watch(rooms: () => Iterable<string>, onChange: (room: string) => void): () => void {
    return this.#watches.start(rooms, onChange);
  }

  check(): Promise<void> {
    return this.#health.guard(() =>
      this.#writers.use(async (session) => {
        await session.run(
          'INSERT INTO chat_ready (id, at) VALUES (1, NOW(6)) ON DUPLICATE KEY UPDATE at = NOW(6)',
        );
        await session.run('COMMIT');
      }),
    );
  }

  /** All rooms with their lengths. */
  async listRooms(): Promise<{ room: string; sizeBytes: number }[]> {
    const sql = 'SELECT name AS room, size_bytes AS sizeBytes FROM rooms ORDER BY name';
    return this.#health.guard(() =>
      this.#readers.use((session) => session.run<{ room: string; sizeBytes: number }>(sql)),
    );
  }

  /**
   * Adds bytes to a room as they are.
   *
   * @returns whether the room was `offset` bytes long; if not, nothing is added
   */
  async extend(room: string, offset: number, bytes: Buffer): Promise<boolean> {
    const isExtended = await this.#health.guard(() =>
      this.#writers.use((session) => appendBytes(session, room, offset, bytes)),
    );
    if (isExtended) this.#watches.notify(room);
    return isExtended;
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    this.#writers.close();
    this.#readers.close();
  }

  #commit(room: string, entries: readonly Entry[]): Promise<Receipt[]> {
    return this.#health.guard(async () => {
      const receipts = await this.#tryCommit(room, entries);
      this.#watches.notify(room);
      this.#count.batches.observe(receipts.length);
      this.#count.messages.add(receipts.length);
      this.#count.bytes.add(receipts.reduce((sum, { line }) => sum + Buffer.byteLength(line), 0));
      return receipts;
    });
  }

  async #tryCommit(room: string, entries: readonly Entry[]): Promise<Receipt[]> {
    let prepared: Receipt[] = [];
    const { lockWaits, syncs } = this.#count;
    const work = (session: Session): Promise<void> =>
      appendEntries(session, room, entries, this.#guesses, {
        onLock: (waitMs) => lockWaits.observe(waitMs / 1000),
        onPrepared: (receipts) => {
          prepared = receipts;
        },
        onCommit: (commitMs) => syncs.observe(commitMs / 1000),
      });
    try {
      await this.#writers.use(work);
    } catch (error) {
      if (!(error instanceof LostCommitError)) throw error;
      this.#health.noteAway(error);
      if (!(await findOut(this.#writers, error))) throw toAwayError(error);
    }
    return prepared;
  }
}
