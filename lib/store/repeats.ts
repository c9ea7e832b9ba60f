/**
 * Safe repeats: whoever lost an answer appends the message again, with a cursor from before it was first
 * sent, and gets the receipt of the line that is there.
 *
 * A store plans each batch while no other process can add to the room. A message is stored only if it
 * begins at most {@link SEARCH_BYTES} behind its cursor, and searched for just as far: so whatever a
 * copy stored, each later copy finds it or is refused.
 */
import { ServiceError } from '../errors.ts';
import { EMPTY_EPOCH, formatCursor, type SentCursor, toEpoch } from '../room/cursor.ts';
import { readBytes } from '../room/line-reader.ts';
import { type Entry, formatEntry, MAX_LINE_BYTES, parseLine, TIME_BYTES } from '../room/message.ts';
import { LF } from '../room/text.ts';
import { type Receipt, SEARCH_BYTES, type Snapshot } from './store.ts';

/** A message as it is appended. */
export interface Post {
  readonly entry: Entry;
  readonly since: SentCursor | undefined;
}

/** What became of one message of a batch that was committed. */
export type Outcome = Receipt | ServiceError;

/** What planning needs of the room as it stands before the batch. */
export type RoomText = Pick<Snapshot, 'epoch' | 'sizeBytes' | 'completeBytes' | 'read'>;

/** What is stored of a batch, and what its senders are told once it is. */
export interface Plan {
  readonly entries: readonly Entry[];
  /** Whether nothing is to be written, not even the line feed that a repeat's line lacks. */
  readonly isEmpty: boolean;
  /** @returns the outcome of each message of the batch */
  toOutcomes(receipts: readonly Receipt[]): Outcome[];
}

/** Tells whether an outcome is that of a message that was stored just now. */
export function isStored(outcome: Outcome): outcome is Receipt {
  return !(outcome instanceof ServiceError || outcome.isRepeat);
}

/**
 * Plans a batch.
 *
 * @param readRoom called only if a message has a cursor
 * @throws what reading the room throws
 */
export async function planBatch(posts: readonly Post[], readRoom: () => RoomText): Promise<Plan> {
  if (posts.every(({ since }) => since === undefined)) {
    const entries = posts.map(({ entry }) => entry);
    return { entries, isEmpty: false, toOutcomes: (receipts) => [...receipts] };
  }
  const room = readRoom();
  const { found, hasHalf } = await findInRoom(posts, room);
  const entries: Entry[] = [];
  const indexes = new Map<string, number>();
  // The next line begins here. A last line without LF gets one first.
  let offset = room.sizeBytes + (room.completeBytes < room.sizeBytes ? 1 : 0);
  const steps = posts.map(({ entry, since }, number) => {
    const outcome = found[number];
    if (outcome !== undefined) return outcome;
    const key = formatEntry(entry);
    const index = indexes.get(key);
    if (since !== undefined && index !== undefined) return { index, isRepeat: true };
    if (since !== undefined && offset - since.offset > SEARCH_BYTES) return toFarError();
    offset += TIME_BYTES + Buffer.byteLength(key) + 1;
    if (index === undefined) indexes.set(key, entries.length);
    return { index: entries.push(entry) - 1, isRepeat: false };
  });
  const toOutcomes = (receipts: readonly Receipt[]): Outcome[] =>
    steps.map((step) =>
      'index' in step ? { ...receipts[step.index]!, isRepeat: step.isRepeat } : step,
    );
  return { entries, isEmpty: entries.length === 0 && !hasHalf, toOutcomes };
}

/**
 * @returns `found`: for each message its receipt if the room has it, or why its cursor is refused;
 *   `hasHalf`: whether one is the room's last line, which lacks its line feed: a crash may cut off that
 */
async function findInRoom(
  posts: readonly Post[],
  room: RoomText,
): Promise<{ found: (Outcome | undefined)[]; hasHalf: boolean }> {
  const found = new Array<Outcome | undefined>(posts.length);
  const keys = new Set<string>();
  const searches: { number: number; key: string; offset: number }[] = [];
  for (const [number, { entry, since }] of posts.entries()) {
    if (since === undefined) continue;
    const { epoch = room.epoch, offset } = since;
    if (offset > room.completeBytes || (offset > 0 && epoch !== room.epoch)) {
      found[number] = toStaleError();
      continue;
    }
    if (offset === room.sizeBytes) continue;
    const key = toKey(entry);
    keys.add(key);
    searches.push({ number, key, offset });
  }
  let part: RoomPart | undefined;
  let hasHalf = false;
  for (const { number, key, offset } of searches.sort((one, other) => one.offset - other.offset)) {
    const to = Math.min(room.sizeBytes, offset + SEARCH_BYTES + MAX_LINE_BYTES);
    // What is behind the last cursors is read once for all of them.
    if (part === undefined || to > part.to) part = await RoomPart.read(room, offset, to, keys);
    if (!part.isLineStart(offset)) {
      found[number] = toStaleError();
      continue;
    }
    const start = part.find(key, offset);
    if (start !== undefined) found[number] = part.toReceipt(key, start);
    hasHalf ||= start === room.completeBytes;
  }
  return { found, hasHalf };
}

/** A part of a room, with the lines in it that may be wanted. */
class RoomPart {
  readonly to: number;
  readonly #epoch: string;
  readonly #from: number;
  readonly #bytes: Buffer;
  /** The offsets of the lines of each key. */
  readonly #starts = new Map<string, number[]>();

  /** @param offset where the first line begins */
  static async read(
    room: RoomText,
    offset: number,
    to: number,
    keys: ReadonlySet<string>,
  ): Promise<RoomPart> {
    const from = Math.max(0, offset - 1);
    const part = new RoomPart(room.epoch, from, await readBytes(room, from, to));
    part.#indexLines(keys, to === room.sizeBytes);
    return part;
  }

  private constructor(epoch: string, from: number, bytes: Buffer) {
    this.to = from + bytes.length;
    this.#epoch = epoch;
    this.#from = from;
    this.#bytes = bytes;
  }

  /** Tells whether a line begins at an offset, or the last one ends there. */
  isLineStart(offset: number): boolean {
    return offset === 0 || this.#bytes[offset - 1 - this.#from] === LF;
  }

  /** Finds the first line of a key that begins at most {@link SEARCH_BYTES} behind an offset. */
  find(key: string, offset: number): number | undefined {
    for (const start of this.#starts.get(key) ?? []) {
      if (start < offset) continue;
      if (start > offset + SEARCH_BYTES) break;
      // Whoever made a line by hand may have put anything where its time belongs.
      if (parseLine(this.#readLine(key, start)) !== undefined) return start;
    }
    return undefined;
  }

  /** @param start what {@link find} returned */
  toReceipt(key: string, start: number): Receipt {
    const line = this.#readLine(key, start);
    // A room without a complete line has no epoch until this one is complete.
    const epoch = this.#epoch === EMPTY_EPOCH ? toEpoch(Buffer.from(line)) : this.#epoch;
    const cursor = formatCursor(epoch, start + TIME_BYTES + key.length + 1);
    return { line, cursor, isRepeat: true };
  }

  #readLine(key: string, start: number): string {
    const from = start - this.#from;
    return `${this.#bytes.toString('utf8', from, from + TIME_BYTES + key.length)}\n`;
  }

  /** @param isLast whether the room ends with these bytes */
  #indexLines(keys: ReadonlySet<string>, isLast: boolean): void {
    const lengths = new Set(Array.from(keys, (key) => TIME_BYTES + key.length));
    let start = this.#from === 0 ? 0 : this.#bytes.indexOf(LF) + 1;
    for (let end = 0; start < this.#bytes.length; start = end + 1) {
      end = this.#bytes.indexOf(LF, start);
      if (end === -1 && !isLast) return;
      if (end === -1) end = this.#bytes.length;
      if (!lengths.has(end - start)) continue;
      const key = this.#bytes.toString('latin1', start + TIME_BYTES, end);
      if (!keys.has(key)) continue;
      const starts = this.#starts.get(key);
      if (starts === undefined) this.#starts.set(key, [this.#from + start]);
      else starts.push(this.#from + start);
    }
  }
}

/** What a line must have behind its time, byte for byte: a character of the key is a byte. */
function toKey(entry: Entry): string {
  return Buffer.from(formatEntry(entry), 'utf8').toString('latin1');
}

function toStaleError(): ServiceError {
  const message =
    'the room has no line that ends at this cursor; read the room, and if your message is not there, ' +
    'send it with a cursor of the room';
  return new ServiceError('conflict', message);
}

function toFarError(): ServiceError {
  const message =
    'the room has more than 1 MiB behind this cursor, and your message is not in the first of it; ' +
    'read the room, and if it is not there, send it with a later cursor';
  return new ServiceError('conflict', message);
}
