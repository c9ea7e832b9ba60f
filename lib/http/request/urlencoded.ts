/** `application/x-www-form-urlencoded`, parsed by hand (URL Standard §5.1). */
import { decodeField, type Fields } from './fields.ts';

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const PERCENT = 0x25;
const SPACE = 0x20;
const QUESTION = 0x3f;

/**
 * Parses a form as `URLSearchParams` parses the same text, so one leading `?` is left out.
 *
 * @throws ServiceError `bad-request` if one of them is not UTF-8
 */
export function parseUrlencoded(body: Buffer): Fields {
  const fields: Fields = [];
  // One buffer for all fields: each part is decoded to where it began, as none is longer than sent.
  const decoded = Buffer.allocUnsafe(body.length);
  let equals = -1;
  let start = body[0] === QUESTION ? 1 : 0;
  while (start <= body.length) {
    const end = find(body, AMPERSAND, start);
    if (end > start) {
      // Kept while it is ahead, so that a body of many names without `=` is searched only once.
      if (equals < start) equals = find(body, EQUALS, start);
      const nameEnd = Math.min(equals, end);
      const name = decode(body, start, nameEnd, decoded);
      fields.push(decodeField(name, decode(body, nameEnd + 1, end, decoded)));
    }
    start = end + 1;
  }
  return fields;
}

/** @returns the index of a byte from `start` on; the body's end if there is none */
function find(body: Buffer, byte: number, start: number): number {
  const found = body.indexOf(byte, start);
  return found === -1 ? body.length : found;
}

/** Decodes `+` and `%XX`; a `%` without two hex digits stays as it is. */
function decode(body: Buffer, start: number, end: number, into: Buffer): Buffer {
  let to = start;
  for (let at = start; at < end; at += 1) {
    let byte = body[at]!;
    if (byte === PLUS) {
      byte = SPACE;
    } else if (byte === PERCENT && at + 2 < end) {
      const value = toHexValue(body[at + 1]!) * 16 + toHexValue(body[at + 2]!);
      if (value >= 0) {
        byte = value;
        at += 2;
      }
    }
    into[to] = byte;
    to += 1;
  }
  return into.subarray(start, to);
}

/** @returns 0 to 15; for no hex digit a number so small that no sum with it reaches 0 */
function toHexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1000;
}
