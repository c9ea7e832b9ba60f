/**
 * Takes snapshots of rooms.
 *
 * A room's row tells its length and changes with every change; the text before that length never
 * changes. So the row alone tells whether a cached text is valid, and a text that grew is read only
 * from its old end.
 */
import { BoundedMap } from '../../bounded-map.ts';
import { ServiceError } from '../../errors.ts';
import { EMPTY_EPOCH } from '../../room/cursor.ts';
import { readBytes } from '../../room/line-reader.ts';
import type { Snapshot } from '../store.ts';
import type { Session } from './driver.ts';
import type { Pool } from './pool.ts';
import { type RoomRow, RoomRows } from './room-rows.ts';
import { LINE_COLUMNS, type LineRow, MAX_ROW_BYTES, toBytes } from './rows.ts';

/** The largest room whose whole text is cached, in bytes. */
const MAX_TEXT_BYTES = 256 << 10;

/** How much text is cached, in bytes, and of how many rooms. */
const CACHE_BOUNDS = { maxWeight: 16 << 20, maxEntries: 4096 } as const;

/** How much of a larger room is read at a time, in bytes. */
const CHUNK_BYTES = 128 << 10;

const EMPTY_ETAG = '"empty"';

interface CachedText {
  readonly row: RoomRow;
  readonly text: Buffer;
}

/** Takes snapshots of one database's rooms. */
export class Snapshots {
  readonly #readers: Pool;
  readonly #rows: RoomRows;
  readonly #texts = new BoundedMap<string, CachedText>({
    ...CACHE_BOUNDS,
    weigh: ({ text }) => text.length,
  });
  /** The texts that are being read, by entity tag. */
  readonly #reading = new Map<string, Promise<Buffer>>();

  constructor(readers: Pool) {
    this.#readers = readers;
    this.#rows = new RoomRows(readers);
  }

  /** Returns a room's entity tag, from its row alone. */
  async findEtag(room: string): Promise<string> {
    return toEtag(await this.#rows.find(room));
  }

  /** Returns the entity tags of rooms by name. A room without messages has one, too. */
  async findEtags(rooms: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.#rows.findAll(rooms);
    return new Map(rooms.map((room) => [room, toEtag(rows.get(room))]));
  }

  /** Returns a room as it stands. */
  async take(room: string): Promise<Snapshot> {
    const row = await this.#rows.find(room);
    const isSmall = row !== undefined && row.size_bytes <= MAX_TEXT_BYTES;
    return {
      etag: toEtag(row),
      sizeBytes: row?.size_bytes ?? 0,
      completeBytes: row?.complete_bytes ?? 0,
      epoch: row?.epoch ?? EMPTY_EPOCH,
      isSettled: true,
      tail: isSmall ? await this.#findText(row) : Buffer.alloc(0),
      read: (from, to) => this.#readChunks(row, from, to),
    };
  }

  /** Returns the whole text of a small room. All who ask for the same state share one read. */
  async #findText(row: RoomRow): Promise<Buffer> {
    const cached = this.#texts.get(row.name);
    const isSameRoom = cached?.row.birth_id === row.birth_id;
    if (isSameRoom && cached.row.commit_id === row.commit_id) return cached.text;
    const key = toEtag(row);
    let reading = this.#reading.get(key);
    if (reading === undefined) {
      const isGrown = isSameRoom && cached.row.size_bytes <= row.size_bytes;
      reading = this.#readText(row, isGrown ? cached.text : Buffer.alloc(0));
      this.#reading.set(key, reading);
    }
    return reading;
  }

  async #readText(row: RoomRow, beginning: Buffer): Promise<Buffer> {
    try {
      const source = { read: (from: number, to: number) => this.#readChunks(row, from, to) };
      const rest = await readBytes(source, beginning.length, row.size_bytes);
      const text = Buffer.concat([beginning, rest]);
      this.#texts.set(row.name, { row, text });
      return text;
    } finally {
      this.#reading.delete(toEtag(row));
    }
  }

  /** Acquires a connection for each chunk, so that no number of slow readers holds any. */
  async *#readChunks(
    row: RoomRow | undefined,
    from: number,
    to: number,
  ): AsyncGenerator<Buffer, void> {
    if (row === undefined) return;
    for (let offset = from; offset < to; ) {
      const end = Math.min(to, offset + CHUNK_BYTES);
      const chunk = await this.#readers.use((session) => readText(session, row, offset, end));
      yield chunk;
      offset += chunk.length;
    }
  }
}

/**
 * Reads a part of a room's text.
 *
 * @param row the room as it was when the part was there
 * @throws ServiceError `unavailable` if the text was cut or replaced since
 */
export async function readText(
  session: Session,
  row: RoomRow,
  from: number,
  to: number,
): Promise<Buffer> {
  // The last row may end after the part, by less than the size of a row.
  const rows = await session.run<LineRow>(
    `SELECT ${LINE_COLUMNS} FROM rooms JOIN messages ON room = name
      WHERE name = ? AND birth_id = ? AND end_offset > ? AND end_offset < ?
      ORDER BY end_offset`,
    [row.name, row.birth_id, from, to + MAX_ROW_BYTES],
  );
  const parts: Buffer[] = [];
  let offset = from;
  for (const line of rows) {
    if (offset >= to) break;
    const bytes = toBytes(line);
    const start = line.end_offset - bytes.length;
    if (start > offset || (start < offset && offset > from)) throw toChangedError();
    parts.push(bytes.subarray(offset - start, to - start));
    offset = line.end_offset;
  }
  if (offset < to) throw toChangedError();
  return Buffer.concat(parts);
}

function toEtag(row: RoomRow | undefined): string {
  if (row === undefined) return EMPTY_ETAG;
  return `"${row.birth_id.toString(36)}-${row.commit_id.toString(36)}"`;
}

function toChangedError(): ServiceError {
  const text = 'the room was cut or replaced while it was read; try again';
  return new ServiceError('unavailable', text);
}
