/**
 * Rooms in MySQL or MariaDB, behind the same interface as the folder store.
 *
 * This folder promises what `store.ts` says, by these means:
 *
 * - One transaction stores a batch (`append.ts`). It holds the room's row lock, so the batches of
 *   all replicas follow one another, and lines and their offsets become visible together.
 * - Transactions are READ COMMITTED, which locks rows, not the gaps between them. Otherwise two
 *   replicas that make new rooms at once would deadlock.
 * - If the answer to a COMMIT is lost, the row lock tells what became of it (`commit.ts`). If
 *   nobody can tell, the refusal says that the message may be there.
 * - A connection has a limit in everything that it waits for (`driver.ts`, `pool.ts`), so a
 *   database that is away or frozen makes requests fail in time. The store works again by itself.
 *
 * It leaves to the server's settings that a commit is on disk before others see it; `schema.ts`
 * finds settings that promise less.
 */
import { type MysqlAddress, showMysqlAddress } from '../../config/store-address.ts';
import type { Log } from '../../ops/log.ts';
import type { Registry } from '../../ops/metrics.ts';
import type { SentCursor } from '../../room/cursor.ts';
import type { Entry } from '../../room/message.ts';
import { GroupCommit } from '../group-commit.ts';
import { Readiness } from '../readiness.ts';
import { isStored, type Outcome, type Post } from '../repeats.ts';
import type { Receipt, Snapshot, Store } from '../store.ts';
import { countBatch, createStoreMetrics, type StoreMetrics } from '../store-metrics.ts';
import { Appender } from './append.ts';
import { loadDriver, type Purpose } from './driver.ts';
import { Health } from './health.ts';
import { Pool } from './pool.ts';
import { Snapshots } from './snapshot.ts';
import { Watches } from './watch.ts';

/** How many connections one process opens at most, for each purpose. */
const MAX_CONNECTIONS = { read: 6, write: 8 } as const;

/** How long an idle connection stays open, in milliseconds; shorter than the server keeps it. */
const IDLE_MS = { read: 30_000, write: 1500 } as const;

/** What a database store is made of. */
export interface MysqlStoreOptions {
  readonly address: MysqlAddress;
  readonly log: Log;
  readonly registry: Registry;
}

/** Rooms in a database that any number of processes share. */
export class MysqlStore implements Store {
  readonly description: string;
  readonly #readers: Pool;
  readonly #writers: Pool;
  readonly #metrics: StoreMetrics;
  readonly #health: Health;
  readonly #snapshots: Snapshots;
  readonly #appender: Appender;
  readonly #groupCommit = new GroupCommit((room, posts) => this.#storeBatch(room, posts));
  readonly #watches = new Watches((rooms) =>
    this.#health.run(() => this.#snapshots.findEtags(rooms)),
  );
  readonly #readiness = new Readiness(() => this.#probe());

  /**
   * Opens a database. If it is away, the store refuses everything until it is there.
   *
   * @throws MissingDriverError if the package for it is not installed
   */
  static async open(options: MysqlStoreOptions): Promise<MysqlStore> {
    const toConnect = await loadDriver(options.address);
    const openPool = (purpose: Purpose): Pool =>
      new Pool({
        connect: toConnect(purpose),
        limit: MAX_CONNECTIONS[purpose],
        idleMs: IDLE_MS[purpose],
      });
    return new MysqlStore(options, openPool('read'), openPool('write'));
  }

  private constructor(options: MysqlStoreOptions, readers: Pool, writers: Pool) {
    this.description = showMysqlAddress(options.address);
    this.#readers = readers;
    this.#writers = writers;
    this.#metrics = createStoreMetrics(options.registry);
    this.#snapshots = new Snapshots(readers);
    this.#appender = new Appender(writers, this.#metrics);
    this.#health = new Health(readers, options.log, () => {
      this.#metrics.errors.add();
      this.#readiness.noteFailure();
    });
    // Make the tables now, so that the first message does not wait for them. A failure is logged.
    void this.#health.run(async () => undefined).catch(() => undefined);
  }

  append(room: string, entry: Entry, since?: SentCursor): Promise<Receipt> {
    return this.#groupCommit.append(room, entry, since);
  }

  etag(room: string): Promise<string> {
    return this.#health.run(() => this.#snapshots.findEtag(room));
  }

  async snapshot(room: string): Promise<Snapshot> {
    const snapshot = await this.#health.run(() => this.#snapshots.take(room));
    return { ...snapshot, read: (from, to) => this.#health.pass(snapshot.read(from, to)) };
  }

  watch(rooms: () => Iterable<string>, onChange: (room: string) => void): () => void {
    return this.#watches.start(rooms, onChange);
  }

  check(): Promise<void> {
    return this.#readiness.check();
  }

  async listRooms(): Promise<{ room: string; sizeBytes: number }[]> {
    const sql = 'SELECT name AS room, size_bytes AS sizeBytes FROM rooms ORDER BY name';
    return this.#health.run(() =>
      this.#readers.use((session) => session.run<{ room: string; sizeBytes: number }>(sql)),
    );
  }

  async extend(room: string, offset: number, bytes: Buffer): Promise<boolean> {
    const isExtended = await this.#health.run(() =>
      this.#appender.appendBytes(room, offset, bytes),
    );
    if (isExtended) this.#watches.notify(room);
    return isExtended;
  }

  async close(): Promise<void> {
    await this.#groupCommit.idle();
    this.#writers.close();
    this.#readers.close();
  }

  async #storeBatch(room: string, posts: readonly Post[]): Promise<Outcome[]> {
    const outcomes = await this.#health.run(() => this.#appender.appendMessages(room, posts));
    if (countBatch(this.#metrics, outcomes.filter(isStored))) {
      this.#readiness.noteWrite();
      this.#watches.notify(room);
    }
    return outcomes;
  }

  #probe(): Promise<void> {
    return this.#health.run(() =>
      this.#writers.use(async (session) => {
        await session.run(
          'INSERT INTO chat_ready (id, at) VALUES (1, NOW(6)) ON DUPLICATE KEY UPDATE at = NOW(6)',
        );
        await session.run('COMMIT');
      }),
    );
  }
}
