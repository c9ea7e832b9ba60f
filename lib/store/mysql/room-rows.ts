/** Reads the rows of `rooms`, which tell each room's length and change with every change to it. */
import { setImmediate as nextTick } from 'node:timers/promises';
import type { Pool } from './pool.ts';

/** How many rooms one statement asks for. */
const MAX_NAMES = 500;

/** A row of `rooms`; `schema.ts` describes the columns. */
export interface RoomRow {
  readonly name: string;
  readonly size_bytes: number;
  readonly complete_bytes: number;
  readonly epoch: string;
  readonly birth_id: number;
  readonly commit_id: number;
}

/** Reads the rooms' rows. */
export class RoomRows {
  readonly #readers: Pool;
  #names = new Set<string>();
  #batch: Promise<Map<string, RoomRow>> | undefined;

  constructor(readers: Pool) {
    this.#readers = readers;
  }

  /**
   * Returns a room's row, or `undefined` if there is no such room. All calls of one tick share one
   * statement, which begins after they were made.
   */
  async find(room: string): Promise<RoomRow | undefined> {
    this.#names.add(room);
    this.#batch ??= this.#findBatch();
    return (await this.#batch).get(room);
  }

  /** Returns the rows of many rooms by name, with one statement for every 500 of them. */
  async findAll(rooms: readonly string[]): Promise<Map<string, RoomRow>> {
    const found = new Map<string, RoomRow>();
    for (let from = 0; from < rooms.length; from += MAX_NAMES) {
      const names = rooms.slice(from, from + MAX_NAMES);
      const sql = 'SELECT * FROM rooms WHERE name IN (?)';
      const rows = await this.#readers.use((session) => session.run<RoomRow>(sql, [names]));
      for (const row of rows) found.set(row.name, row);
    }
    return found;
  }

  async #findBatch(): Promise<Map<string, RoomRow>> {
    await nextTick();
    const names = [...this.#names];
    this.#names = new Set();
    this.#batch = undefined;
    return this.findAll(names);
  }
}
