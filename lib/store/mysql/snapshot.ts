/**
 * Views of rooms in a database.
 *
 * A room's row says how long it is and changes with every change; what lies before that length never
 * changes. So the row alone validates what is remembered, and a text grows by what is new.
 */
import { ServiceError } from '../../errors.ts';
import { EMPTY_EPOCH } from '../../room/cursor.ts';
import type { Snapshot } from '../store.ts';
import type { Pool } from './pool.ts';
import { type RoomRow, RoomRows } from './room-rows.ts';
import { LINE_COLUMNS, type LineRow, MAX_ROW_BYTES, toBytes } from './rows.ts';

/** The largest room that is kept in memory as a whole, in bytes. */
export const MAX_TEXT_BYTES = 256 << 10;

/** How much text is kept, in bytes, and of how many rooms. */
const MAX_KEPT_BYTES = 16 << 20;
const MAX_KEPT_ROOMS = 4096;

/** How much of a larger room is read at a time, in bytes. */
const CHUNK_BYTES = 128 << 10;

const EMPTY_ETAG = '"empty"';

interface Kept {
  readonly row: RoomRow;
  readonly text: Buffer;
}

/** The views of one database's rooms. */
export class Snapshots {
  readonly #pool: Pool;
  readonly #rows: RoomRows;
  readonly #kept = new Map<string, Kept>();
  readonly #loading = new Map<string, Promise<Buffer>>();
  #keptBytes = 0;

  /** @param pool connections that read */
  constructor(pool: Pool) {
    this.#pool = pool;
    this.#rows = new RoomRows(pool);
  }

  /** Gives a room's entity tag, from its row alone. */
  async etag(room: string): Promise<string> {
    return toEtag(await this.#rows.ask(room));
  }

  /** Gives a room as it stands. */
  async snapshot(room: string): Promise<Snapshot> {
    const row = await this.#rows.ask(room);
    const text = row === undefined ? undefined : await this.#findText(row);
    return {
      etag: toEtag(row),
      sizeBytes: row?.size_bytes ?? 0,
      completeBytes: row?.complete_bytes ?? 0,
      epoch: row?.epoch ?? EMPTY_EPOCH,
      isSettled: true,
      tail: text ?? Buffer.alloc(0),
      read: (from, to) => this.#readChunks(row, from, to),
    };
  }

  /** Gives the entity tags of rooms with one statement; a room without messages has one, too. */
  async etags(rooms: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.#rows.select(rooms);
    return new Map(rooms.map((room) => [room, toEtag(rows.get(room))]));
  }

  /** The whole text of a small room: what is remembered of it, and what is new. */
  #findText(row: RoomRow): Promise<Buffer> | Buffer | undefined {
    if (row.size_bytes > MAX_TEXT_BYTES) return undefined;
    const kept = this.#kept.get(row.name);
    const isSame = kept?.row.birth_id === row.birth_id;
    if (isSame && kept.row.commit_id === row.commit_id) return kept.text;
    const key = toEtag(row);
    let loading = this.#loading.get(key);
    if (loading === undefined) {
      const isGrown = isSame && kept.row.size_bytes <= row.size_bytes;
      loading = this.#loadText(row, isGrown ? kept.text : Buffer.alloc(0)).finally(() =>
        this.#loading.delete(key),
      );
      this.#loading.set(key, loading);
    }
    return loading;
  }

  async #loadText(row: RoomRow, beginning: Buffer): Promise<Buffer> {
    const parts = [beginning];
    for await (const chunk of this.#readChunks(row, beginning.length, row.size_bytes)) {
      parts.push(chunk);
    }
    const text = Buffer.concat(parts);
    this.#keep(row, text);
    return text;
  }

  #keep(row: RoomRow, text: Buffer): void {
    this.#forget(row.name);
    this.#kept.set(row.name, { row, text });
    this.#keptBytes += text.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= MAX_KEPT_BYTES && this.#kept.size <= MAX_KEPT_ROOMS) return;
      this.#forget(oldest);
    }
  }

  #forget(room: string): void {
    this.#keptBytes -= this.#kept.get(room)?.text.length ?? 0;
    this.#kept.delete(room);
  }

  /** Takes a connection anew for every chunk: however many slow readers there are, none is held. */
  async *#readChunks(
    row: RoomRow | undefined,
    from: number,
    to: number,
  ): AsyncGenerator<Buffer, void> {
    if (row === undefined) return;
    for (let at = from; at < to; ) {
      const chunk = await this.#readChunk(row, at, Math.min(to, at + CHUNK_BYTES));
      yield chunk;
      at += chunk.length;
    }
  }

  async #readChunk(row: RoomRow, from: number, to: number): Promise<Buffer> {
    // The last line may end behind the part that is asked for, by less than a row's length.
    const rows = await this.#pool.use((session) =>
      session.run<LineRow>(
        `SELECT ${LINE_COLUMNS} FROM rooms JOIN messages ON room = name
          WHERE name = ? AND birth_id = ? AND end_offset > ? AND end_offset < ?
          ORDER BY end_offset`,
        [row.name, row.birth_id, from, to + MAX_ROW_BYTES],
      ),
    );
    const parts: Buffer[] = [];
    let at = from;
    for (const one of rows) {
      if (at >= to) break;
      const bytes = toBytes(one);
      const start = one.end_offset - bytes.length;
      if (start > at || (start < at && at > from)) throw toCutError();
      parts.push(bytes.subarray(at - start, to - start));
      at = one.end_offset;
    }
    if (at < to) throw toCutError();
    return Buffer.concat(parts);
  }
}

function toEtag(row: RoomRow | undefined): string {
  if (row === undefined) return EMPTY_ETAG;
  return `"${row.birth_id.toString(36)}-${row.commit_id.toString(36)}"`;
}

function toCutError(): ServiceError {
  return new ServiceError(
    'unavailable',
    'the room was cut or replaced while it was read; try again',
  );
}
