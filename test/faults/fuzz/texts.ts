// Hostile text: pieces that parsers trip over, and damage to what is well-formed.
import type { Random } from '../crash/random.ts';

const pieces = [
  ...'aZ09 _-.~%+&=;:,/\\?#"\'<>()[]{}|^`@!$*\t\r\n\0',
  ...['\u007f', '\u0085', '\u00a0', '\u2028', '\u2029', '\ufeff', '\ufffd', '↵', 'é', '漢', '😀'],
  ...['%00', '%0A', '%0d', '%2F', '%2f', '%2E', '%25', '%', '%4', '%zz', '%C3%A9', '%C3', '%FF'],
  ...['\u200b', '\u3164', '\u2800', '\u00ad', '\r\n', '{"', '":', '\\ud800', 'null'],
  ...[
    ...['..', '../', '..%2F', '%2e%2e', 'CON', '.locks', 'username=', 'message=', 'msg=', '&&'],
    ...['==', '++'],
  ],
  ...[': ', '] ', '[2018-02-25 14:00:51] ', 'x'.repeat(70), 'y'.repeat(300), '\ud800', '\udfff'],
  ...[
    ...['bytes=', '0-', '-1', '9007199254740993', '18446744073709551616', '1e3', '0x10', '-0'],
    ...['W/', '*'],
  ],
];

/** Text made of pieces. */
export function makeText(random: Random, most = 12): string {
  let text = '';
  for (let n = random.below(most); n > 0; n -= 1) text += random.pick(pieces);
  return text;
}

/** Bytes with some of them changed, cut out or doubled. */
export function damage(random: Random, bytes: Buffer): Buffer {
  let damaged: Buffer = Buffer.from(bytes);
  for (let n = 1 + random.below(4); n > 0 && damaged.length > 0; n -= 1) {
    const at = random.below(damaged.length);
    const to = at + random.below(Math.min(40, damaged.length - at) + 1);
    const way = random.below(5);
    if (way === 0) damaged[at] = random.below(256);
    else if (way === 1) damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(to)]);
    else if (way === 2) damaged = damaged.subarray(0, at);
    else if (way === 3) damaged = Buffer.concat([damaged.subarray(0, to), damaged.subarray(at)]);
    else damaged = insert(damaged, at, Buffer.from(random.pick(pieces)));
  }
  return damaged;
}

function insert(bytes: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}
