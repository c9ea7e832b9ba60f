/**
 * Room names and the file names that stand for them (contract §2 and §9).
 *
 *     room name   1 to 100 code points, any but controls, not "." or ".."
 *     file stem   each UTF-8 byte outside a-z 0-9 _ - . as %XX, a leading dot too; at most 240 bytes
 */
import { countCodePoints, hasControl } from './text.ts';

/** The room that an empty name stands for. */
export const DEFAULT_ROOM = 'general';

/** Longest room name, in code points. */
export const MAX_ROOM_CHARACTERS = 100;

/** Longest file stem, in bytes; with an ending it stays below the 255 that file systems take. */
export const MAX_STEM_BYTES = 240;

const PLAIN_STEM = /^[a-z0-9_-][a-z0-9_.-]*$/;
const ESCAPED = Array.from({ length: 256 }, (_, byte) => toEscape(byte));

/**
 * Says what is wrong with a decoded room name.
 *
 * @param room the name as people read it
 * @returns one line for the sender, or `undefined` for a good name
 */
export function findRoomFault(room: string): string | undefined {
  if (room === '') return 'the room name is empty; it takes 1 to 100 characters';
  if (room === '.' || room === '..') return 'a room cannot be named "." or ".."';
  if (!room.isWellFormed()) return 'the room name is not well-formed Unicode';
  if (hasControl(room)) return 'the room name has a control character in it; leave it out';
  if (countCodePoints(room, MAX_ROOM_CHARACTERS) > MAX_ROOM_CHARACTERS) {
    return `the room name is longer than ${MAX_ROOM_CHARACTERS} characters`;
  }
  if (toFileStem(room).length > MAX_STEM_BYTES) {
    return `the room name is too long for a file name; escaped, it takes at most ${MAX_STEM_BYTES} bytes`;
  }
  return undefined;
}

/**
 * Gives the file name of a room, without an ending. Two rooms never share one, not even on a disk
 * that ignores case.
 *
 * @param room a well-formed name
 * @returns the stem: only `a-z 0-9 _ - . %` and upper-case hex digits
 */
export function toFileStem(room: string): string {
  if (PLAIN_STEM.test(room)) return room;
  const bytes = Buffer.from(room, 'utf8');
  let stem = '';
  for (const [index, byte] of bytes.entries()) {
    stem += index === 0 && byte === 0x2e ? '%2E' : ESCAPED[byte];
  }
  return stem;
}

/**
 * Reads a file stem back into its room name.
 *
 * @param stem a file name without its ending
 * @returns the room, or `undefined` where no room has this file name (not as {@link toFileStem} writes it)
 */
export function fromFileStem(stem: string): string | undefined {
  const room = decodeSegment(stem);
  if (room === undefined || findRoomFault(room) !== undefined) return undefined;
  return toFileStem(room) === stem ? room : undefined;
}

/**
 * Decodes one percent-encoded path segment as UTF-8 (RFC 3986 §2.1).
 *
 * @param segment the segment as it stands in the request
 * @returns the text, or `undefined` for a broken escape or bytes that are not UTF-8
 */
export function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function toEscape(byte: number): string {
  const character = String.fromCharCode(byte);
  if (/[a-z0-9_.-]/.test(character)) return character;
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
