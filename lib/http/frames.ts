/** Frames of live readers: lines as events or as text, with the chunk's size around them. */
import type { Format } from '../place.ts';

const LF = 0x0a;
const CR = 0x0d;
const CRLF = Buffer.from('\r\n');
const EVENT_END = Buffer.from('\n\n');
const REPLACEMENT = Buffer.from('\ufffd');

const FORMATS = {
  events: [makeEventFormat(false), makeEventFormat(true)],
  text: [makeTextFormat(false), makeTextFormat(true)],
} as const;

/** The one format of all readers of events; of those whose body is chunked, or of the others. */
export function toEventFormat(isChunked: boolean): Format {
  return FORMATS.events[isChunked ? 1 : 0];
}

/** The one format of all readers of plain text. */
export function toTextFormat(isChunked: boolean): Format {
  return FORMATS.text[isChunked ? 1 : 0];
}

/** A frame of ready-made events. */
export function toEvents(events: string, isChunked: boolean): Buffer {
  return toFrame([Buffer.from(events)], isChunked);
}

function makeEventFormat(isChunked: boolean): Format {
  return {
    lines: (text, offset, epoch) => toFrame(toLineEvents(text, offset, epoch), isChunked),
    reset: toEvents('event: reset\ndata: reset\n\n', isChunked),
    ping: toEvents('event: ping\ndata: ping\n\n', isChunked),
  };
}

function makeTextFormat(isChunked: boolean): Format {
  return { lines: (text) => toFrame([text], isChunked), reset: undefined, ping: undefined };
}

/**
 * @param text complete lines; bytes that are not UTF-8 travel as they are
 * @returns pieces of events, each with the cursor after its line as `id`
 */
function toLineEvents(text: Buffer, offset: number, epoch: string): Buffer[] {
  const pieces: Buffer[] = [];
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(LF, start);
    const after = end + 1;
    pieces.push(Buffer.from(`id: ${epoch}-${offset + after}\ndata: `, 'latin1'));
    pieces.push(...toData(text.subarray(start, end)));
    pieces.push(EVENT_END);
    start = after;
  }
  return pieces;
}

/** A CR would end the event's line: the last one is left out, one inside becomes U+FFFD. */
function toData(line: Buffer): Buffer[] {
  if (!line.includes(CR)) return [line];
  const pieces: Buffer[] = [];
  const end = line[line.length - 1] === CR ? line.length - 1 : line.length;
  let start = 0;
  for (let at = line.indexOf(CR); at !== -1 && at < end; at = line.indexOf(CR, at + 1)) {
    pieces.push(line.subarray(start, at), REPLACEMENT);
    start = at + 1;
  }
  pieces.push(line.subarray(start, end));
  return pieces;
}

/** Puts the chunk's size before and CRLF after it (RFC 9112 §7.1). */
function toFrame(pieces: Buffer[], isChunked: boolean): Buffer {
  if (!isChunked) return Buffer.concat(pieces);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const size = Buffer.from(`${length.toString(16)}\r\n`, 'latin1');
  return Buffer.concat([size, ...pieces, CRLF]);
}
