/** The rooms' rows, which say how long each room is and change with every change. */
import type { Pool } from './pool.ts';

/** How many rooms one statement asks for. */
const MAX_NAMES = 500;

/** A row of `rooms`. */
export interface RoomRow {
  readonly name: string;
  readonly size_bytes: number;
  readonly complete_bytes: number;
  readonly epoch: string;
  readonly birth_id: number;
  readonly commit_id: number;
}

interface Asking {
  readonly resolve: (row: RoomRow | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads the rooms' rows. */
export class RoomRows {
  readonly #pool: Pool;
  #asking = new Map<string, Asking[]>();

  /** @param pool connections that read */
  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** All that ask in one turn are answered by one statement, which begins after they asked. */
  ask(room: string): Promise<RoomRow | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#asking.size === 0) setImmediate(() => this.#answer());
      const asking = this.#asking.get(room);
      if (asking === undefined) this.#asking.set(room, [{ resolve, reject }]);
      else asking.push({ resolve, reject });
    });
  }

  #answer(): void {
    const all = [...this.#asking];
    this.#asking = new Map();
    for (let from = 0; from < all.length; from += MAX_NAMES) {
      const some = all.slice(from, from + MAX_NAMES);
      this.select(some.map(([room]) => room)).then(
        (rows) => {
          for (const [room, asking] of some)
            for (const { resolve } of asking) resolve(rows.get(room));
        },
        (error) => {
          for (const [, asking] of some) for (const { reject } of asking) reject(error);
        },
      );
    }
  }

  /** Gives the rows of these rooms, by name. */
  async select(rooms: readonly string[]): Promise<Map<string, RoomRow>> {
    const sql = 'SELECT * FROM rooms WHERE name IN (?)';
    const rows = await this.#pool.use((session) => session.run<RoomRow>(sql, [rooms]));
    return new Map(rows.map((row) => [row.name, row]));
  }
}
