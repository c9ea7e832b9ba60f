/** Reads complete lines of a room in pieces of bounded size. */
import { MAX_USERNAME_CHARACTERS, TIME_BYTES } from './message.ts';
import { LF } from './text.ts';

/** How much is read at once, in bytes. A single longer line takes more. */
export const PIECE_BYTES = 64 << 10;

/** The longest line that is read whole, in bytes. Only lines made by hand come near it. */
export const MAX_LINE_BYTES = 8 << 20;

/** A text of lines, some of whose last bytes may be in memory. */
export interface LineSource {
  readonly sizeBytes: number;
  /** The offset after the last complete line; at most `sizeBytes`. */
  readonly completeBytes: number;
  /** The last bytes of the text that are in memory: all of them if it is small. */
  readonly tail: Buffer;
  /**
   * Reads the bytes from `from` up to `to` in bounded memory. A chunk is valid until the next one is
   * asked for.
   *
   * @throws ServiceError `unavailable` if the text was cut or replaced meanwhile
   */
  read(from: number, to: number): AsyncIterable<Buffer>;
}

/** Complete lines, each with its LF, and the offset after the last of them. */
export interface Lines {
  readonly text: Buffer;
  readonly end: number;
}

/** How much of a line is remembered, in bytes: the time and the longest username. */
const MARK_BYTES = TIME_BYTES + 4 * MAX_USERNAME_CHARACTERS + 2;

/** What is remembered of a line, to notice that somebody edited the room before its end. */
export interface LineMark {
  readonly start: number;
  readonly end: number;
  /** Its time and username; of a line that is no message its first bytes. */
  readonly head: Buffer;
}

/**
 * Reads a part of a text into one buffer.
 *
 * @returns exactly `to - from` bytes
 * @throws Error if the source gives fewer; no caller ever gets memory that nothing was read into
 */
export async function readBytes(
  source: Pick<LineSource, 'read'>,
  from: number,
  to: number,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(to - from);
  let filledBytes = 0;
  for await (const chunk of source.read(from, to)) filledBytes += chunk.copy(bytes, filledBytes);
  if (filledBytes === bytes.length) return bytes;
  throw toShortError(from + filledBytes, to);
}

/** Returns a part of a room's text if it is in memory, else `undefined`. */
export function findPart(
  { sizeBytes, tail }: Pick<LineSource, 'sizeBytes' | 'tail'>,
  from: number,
  to: number,
): Buffer | undefined {
  const start = sizeBytes - tail.length;
  return from < start ? undefined : tail.subarray(from - start, to - start);
}

/**
 * Reads the next complete lines.
 *
 * @param offset where the first line begins; below `source.completeBytes`
 * @returns at least one line, or `undefined` if no line begins at the offset. A line longer than
 *   {@link MAX_LINE_BYTES} is replaced by a note; `end` is still the end of the line itself.
 * @throws what the source's `read` throws
 */
export async function readLines(source: LineSource, offset: number): Promise<Lines | undefined> {
  for (let sizeBytes = PIECE_BYTES; ; sizeBytes = Math.min(4 * sizeBytes, MAX_LINE_BYTES)) {
    const to = Math.min(source.completeBytes, offset + sizeBytes);
    // The byte before the offset tells whether a line begins there.
    const from = Math.max(0, offset - 1);
    const bytes = await readPart(source, from, to);
    if (offset > 0 && bytes[0] !== LF) return undefined;
    const text = bytes.subarray(offset - from);
    const last = text.lastIndexOf(LF);
    if (last !== -1) return { text: text.subarray(0, last + 1), end: offset + last + 1 };
    if (sizeBytes === MAX_LINE_BYTES) return skipLine(source, offset);
  }
}

/** Remembers the last complete line; `undefined` if there is none, or it is not in memory. */
export function markLastLine(source: Omit<LineSource, 'read'>): LineMark | undefined {
  const { sizeBytes, completeBytes, tail } = source;
  const tailOffset = sizeBytes - tail.length;
  if (completeBytes <= tailOffset) return undefined;
  const lines = tail.subarray(0, completeBytes - tailOffset);
  const start = lines.subarray(0, -1).lastIndexOf(LF) + 1;
  if (start === 0 && tailOffset > 0) return undefined;
  const line = lines.subarray(start, start + MARK_BYTES);
  const nameEnd = line.indexOf(': ', TIME_BYTES);
  // A copy, so that the tail is not kept for it.
  const head = Buffer.from(nameEnd === -1 ? line : line.subarray(0, nameEnd));
  return { start: tailOffset + start, end: completeBytes, head };
}

/** Tells whether a line is still where it was. It may have another message of the same length. */
export async function hasLine(
  source: LineSource,
  { start, end, head }: LineMark,
): Promise<boolean> {
  if (end > source.completeBytes) return false;
  const line = await readPart(source, start, end);
  return line.indexOf(LF) === line.length - 1 && line.subarray(0, head.length).equals(head);
}

/** Tells whether a line begins at an offset, or the last complete line ends there. */
export async function isLineStart(source: LineSource, offset: number): Promise<boolean> {
  if (offset === 0) return true;
  if (offset > source.completeBytes) return false;
  return (await readPart(source, offset - 1, offset))[0] === LF;
}

async function readPart(source: LineSource, from: number, to: number): Promise<Buffer> {
  return findPart(source, from, to) ?? readBytes(source, from, to);
}

async function skipLine(source: LineSource, offset: number): Promise<Lines> {
  let end = offset;
  for await (const chunk of source.read(offset, source.completeBytes)) {
    const index = chunk.indexOf(LF);
    end += index === -1 ? chunk.length : index + 1;
    if (index === -1) continue;
    const note = `(a line of ${end - offset - 1} bytes, too long for a stream)\n`;
    return { text: Buffer.from(note), end };
  }
  throw toShortError(end, source.completeBytes);
}

function toShortError(end: number, to: number): Error {
  return new Error(`the text ended at byte ${end}, before byte ${to}`);
}
