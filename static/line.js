/** A room's lines: cut out of bytes, taken apart, and made (contract §3). */

/**
 * @typedef {{ start: number, end: number, text: string }} Line
 *   `start` and `end` are byte offsets in the room; `end` is the offset after its LF
 * @typedef {{ time: string, name: string, message: string }} Parts
 *   a line nobody's server wrote has neither time nor name
 */

const LF = 10;
const CR = 13;
/** Characters a message may have, as code points. */
export const MESSAGE_LIMIT = 4000;
/** Characters a name may have. */
export const NAME_LIMIT = 64;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The lines in a piece of a room. Each is decoded by itself, so that bytes which are not UTF-8
 * shift nobody's offset.
 * @param {Uint8Array} bytes
 * @param {number} from where the piece begins in the room; it should begin a line
 * @returns {{ lines: Line[], stump: Line | undefined }} the stump is what follows the last LF
 */
export function cutLines(bytes, from) {
  /** @type {Line[]} */
  const lines = [];
  let begin = 0;
  for (;;) {
    const lf = bytes.indexOf(LF, begin);
    if (lf < 0) break;
    const textEnd = lf > begin && bytes[lf - 1] === CR ? lf - 1 : lf;
    const text = decoder.decode(bytes.subarray(begin, textEnd));
    lines.push({ start: from + begin, end: from + lf + 1, text });
    begin = lf + 1;
  }
  if (begin === bytes.length) return { lines, stump: undefined };
  const text = decoder.decode(bytes.subarray(begin));
  return { lines, stump: { start: from + begin, end: from + bytes.length, text } };
}

/**
 * @param {string} text a line without its LF
 * @returns {Parts}
 */
export function parseLine(text) {
  const match = /^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] (.+?): (.*)$/su.exec(text);
  if (!match) return { time: '', name: '', message: text };
  return { time: match[1] ?? '', name: match[2] ?? '', message: match[3] ?? '' };
}

/**
 * A message as the server will store it, to know it again when its line arrives.
 * @param {string} message
 */
export function cleanMessage(message) {
  return message
    .toWellFormed()
    .replace(/\r\n?|\n/g, '↵')
    .replace(/(?!\t)[\p{Cc}\u2028\u2029]/gu, '\uFFFD');
}

/**
 * Characters as the server counts them.
 * @param {string} message
 */
export function countCharacters(message) {
  return [...cleanMessage(message)].length;
}

/**
 * Why a name can't be a username, or nothing.
 * @param {string} name
 */
export function faultOfName(name) {
  if (!name) return 'Please give a name.';
  if ([...name].length > NAME_LIMIT) return `A name has at most ${NAME_LIMIT} characters.`;
  if (name.includes(': ') || name.endsWith(':')) return 'A name has no “: ” in it.';
  return '';
}

/**
 * An angle for a name, the same wherever it is read (FNV-1a).
 * @param {string} name
 */
export function hueOf(name) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0) % 360;
}
