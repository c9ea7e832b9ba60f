/** Reading complete lines from a room, in pieces of bounded size. */

/** How much is read at a time; more only where a single line is longer. */
export const PIECE_BYTES = 64 << 10;

/** The longest line that is read whole; only hand-made lines come near. */
export const MAX_LINE_BYTES = 8 << 20;

const LF = 0x0a;

/** What is read from: the part of a room's view that lines need (store.ts says more). */
export interface LineSource {
  /** The offset after the last complete line. */
  readonly completeBytes: number;
  /** How many bytes there are. */
  readonly sizeBytes: number;
  /** The last of them, as many as are at hand. */
  readonly tail: Buffer;
  /** Reads a part; a chunk is good until the next one is asked for. */
  read(from: number, to: number): AsyncIterable<Buffer>;
}

/** Complete lines of a room. */
export interface Lines {
  /** The lines with their LFs. */
  readonly text: Buffer;
  /** The offset after the last of them. */
  readonly end: number;
}

/**
 * Reads the next complete lines after a place.
 *
 * @param view the room
 * @param offset the place; below `view.completeBytes`
 * @returns one line at least; `undefined` where the place is not the start of a line. Of a line
 *   longer than {@link MAX_LINE_BYTES} the text is a note, with the line's own end.
 */
export async function readLines(view: LineSource, offset: number): Promise<Lines | undefined> {
  for (let sizeBytes = PIECE_BYTES; ; sizeBytes = Math.min(4 * sizeBytes, MAX_LINE_BYTES)) {
    const to = Math.min(view.completeBytes, offset + sizeBytes);
    // The byte before tells whether the place is the start of a line.
    const from = Math.max(0, offset - 1);
    const bytes = await readPart(view, from, to);
    if (offset > 0 && bytes[0] !== LF) return undefined;
    const text = bytes.subarray(offset - from);
    const last = text.lastIndexOf(LF);
    if (last !== -1) return { text: text.subarray(0, last + 1), end: offset + last + 1 };
    if (sizeBytes === MAX_LINE_BYTES) return skipLine(view, offset);
  }
}

/** Whether a place is the start of a line of the room, or its end. */
export async function isLineStart(view: LineSource, offset: number): Promise<boolean> {
  if (offset === 0) return true;
  if (offset > view.completeBytes) return false;
  return (await readPart(view, offset - 1, offset))[0] === LF;
}

/**
 * Gives a part of a room's text without reading.
 *
 * @returns `undefined` where it is not at hand
 */
export function findPart(
  { sizeBytes, tail }: Pick<LineSource, 'sizeBytes' | 'tail'>,
  from: number,
  to: number,
): Buffer | undefined {
  const start = sizeBytes - tail.length;
  return from < start ? undefined : tail.subarray(from - start, to - start);
}

async function readPart(view: LineSource, from: number, to: number): Promise<Buffer> {
  const part = findPart(view, from, to);
  if (part !== undefined) return part;
  const bytes = Buffer.allocUnsafe(to - from);
  let filled = 0;
  for await (const chunk of view.read(from, to)) filled += chunk.copy(bytes, filled);
  return bytes;
}

async function skipLine(view: LineSource, offset: number): Promise<Lines> {
  let at = offset;
  for await (const chunk of view.read(offset, view.completeBytes)) {
    const index = chunk.indexOf(LF);
    at += index === -1 ? chunk.length : index + 1;
    if (index !== -1) break;
  }
  const note = `(a line of ${at - offset - 1} bytes, too long for a stream)\n`;
  return { text: Buffer.from(note), end: at };
}
