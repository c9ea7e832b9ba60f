/** `application/x-www-form-urlencoded`, parsed by hand (URL Standard §5.1). */

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const PERCENT = 0x25;
const SPACE = 0x20;
const QUESTION = 0x3f;

/** A form's fields in the order in which they came. */
export type Fields = [name: string, value: string][];

/**
 * Parses a form. The result is that of `URLSearchParams` for the same text, so one leading `?` is
 * left out.
 *
 * @param body the bytes as sent
 * @returns names and values; what is not UTF-8 is U+FFFD
 */
export function parseUrlencoded(body: Buffer): Fields {
  const fields: Fields = [];
  let start = body[0] === QUESTION ? 1 : 0;
  while (start <= body.length) {
    const found = body.indexOf(AMPERSAND, start);
    const end = found === -1 ? body.length : found;
    if (end > start) {
      const equals = body.subarray(start, end).indexOf(EQUALS);
      const nameEnd = equals === -1 ? end : start + equals;
      fields.push([decode(body, start, nameEnd), decode(body, nameEnd + 1, end)]);
    }
    start = end + 1;
  }
  return fields;
}

/** Decodes `+` and `%XX`; a `%` without two hex digits stays as it is. */
function decode(body: Buffer, start: number, end: number): string {
  if (start >= end) return '';
  const bytes = Buffer.allocUnsafe(end - start);
  let length = 0;
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
    bytes[length] = byte;
    length += 1;
  }
  return bytes.toString('utf8', 0, length);
}

/** @returns 0 to 15, or a number so small that no sum with it is 0 or more */
function toHexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1000;
}
