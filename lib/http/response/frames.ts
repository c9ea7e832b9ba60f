/** Frames: lines as events or as text, ready for the socket, with the chunk's size around them. */
import type { Format } from '../../live/subscriber.ts';

/** U+FFFD in UTF-8, each byte as one character. */
const REPLACEMENT = '\xef\xbf\xbd';

const FORMATS = {
  events: [makeEventFormat(false), makeEventFormat(true)],
  text: [makeTextFormat(false), makeTextFormat(true)],
} as const;

/** The one format of all subscribers to events whose body is chunked, or is not. */
export function toEventFormat(isChunked: boolean): Format {
  return FORMATS.events[isChunked ? 1 : 0];
}

/** The one format of all subscribers to plain text whose body is chunked, or is not. */
export function toTextFormat(isChunked: boolean): Format {
  return FORMATS.text[isChunked ? 1 : 0];
}

/** Frames events that are complete already. */
export function toEvents(events: string, isChunked: boolean): Buffer {
  return toFrame(toBytesAsString(Buffer.from(events)), isChunked);
}

function makeEventFormat(isChunked: boolean): Format {
  return {
    frameLines: (text, offset, epoch) => toFrame(toLineEvents(text, offset, epoch), isChunked),
    reset: toEvents('event: reset\ndata: reset\n\n', isChunked),
    ping: toEvents('event: ping\ndata: ping\n\n', isChunked),
  };
}

function makeTextFormat(isChunked: boolean): Format {
  const frameLines = (text: Buffer): Buffer => toFrame(toBytesAsString(text), isChunked);
  return { frameLines, reset: undefined, ping: undefined };
}

/**
 * @param text complete lines; bytes that are not UTF-8 stay as they are
 * @returns events as bytes in a string, each with the cursor after its line as `id`
 */
function toLineEvents(text: Buffer, offset: number, epoch: string): string {
  const bytes = toBytesAsString(text);
  let events = '';
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf('\n', start);
    const data = toData(bytes.slice(start, end));
    start = end + 1;
    events += `id: ${epoch}-${offset + start}\ndata: ${data}\n\n`;
  }
  return events;
}

/** A CR would end the event's line: one at the end is left out, one inside becomes U+FFFD. */
function toData(line: string): string {
  if (!line.includes('\r')) return line;
  return line.replace(/\r$/, '').replaceAll('\r', REPLACEMENT);
}

/** Each byte as one character: far quicker to concatenate than many small buffers. */
function toBytesAsString(bytes: Buffer): string {
  return bytes.toString('latin1');
}

/** Puts the chunk's size before and CRLF after it (RFC 9112 §7.1). */
function toFrame(bytes: string, isChunked: boolean): Buffer {
  const frame = isChunked ? `${bytes.length.toString(16)}\r\n${bytes}\r\n` : bytes;
  return Buffer.from(frame, 'latin1');
}
