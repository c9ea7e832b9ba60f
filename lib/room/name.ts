/**
 * Room names, and the stems of their files' names.
 *
 *     room name   1 to 100 code points without controls; not "." or ".."
 *     file stem   the UTF-8 bytes of the name; each byte outside a-z 0-9 _ - . is written as %XX, and
 *                 so is a leading dot; at most 240 bytes
 */
import { countCodePoints, hasControl } from './text.ts';

/** The room of a request that names none. */
export const DEFAULT_ROOM = 'general';

/** The longest room name, in code points. */
export const MAX_ROOM_CHARACTERS = 100;

/** The longest file stem, in bytes. File systems take 255, and the ending needs some of them. */
export const MAX_STEM_BYTES = 240;

const PLAIN_STEM = /^[a-z0-9_-][a-z0-9_.-]*$/;

/** Finds what is wrong with a decoded room name, as one line for its sender. */
export function findRoomFault(room: string): string | undefined {
  if (room === '') return 'the room name is empty; it takes 1 to 100 characters';
  if (room === '.' || room === '..') return 'a room cannot be named "." or ".."';
  if (!room.isWellFormed()) return 'the room name is not well-formed Unicode';
  if (hasControl(room)) return 'the room name has a control character in it; leave it out';
  if (isTooLong(room)) return toLengthFault([...room]);
  return undefined;
}

/** Returns the stem of a room's file name: no two share one, also where the disk ignores case. */
export function toFileStem(room: string): string {
  if (PLAIN_STEM.test(room)) return room;
  // Each byte as one character.
  const bytes = Buffer.from(room, 'utf8').toString('latin1');
  return bytes.replace(/^\.|[^a-z0-9_.-]/g, toEscape);
}

/** Returns the room whose file has this stem; `undefined` if {@link toFileStem} never gives it. */
export function fromFileStem(stem: string): string | undefined {
  const room = decodeSegment(stem);
  if (room === undefined || findRoomFault(room) !== undefined) return undefined;
  return toFileStem(room) === stem ? room : undefined;
}

/** Decodes a path segment (RFC 3986 §2.1); `undefined` if it is broken or not UTF-8. */
export function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function isTooLong(room: string): boolean {
  if (countCodePoints(room, MAX_ROOM_CHARACTERS) > MAX_ROOM_CHARACTERS) return true;
  return toFileStem(room).length > MAX_STEM_BYTES;
}

/** Says how much fits in characters: nobody counts the bytes of an escaped name. */
function toLengthFault(characters: readonly string[]): string {
  let fitCount = Math.min(characters.length, MAX_ROOM_CHARACTERS);
  while (isTooLong(characters.slice(0, fitCount).join(''))) fitCount -= 1;
  return (
    `the room name is too long: the first ${fitCount} of its ${characters.length} characters fit; ` +
    `it takes at most ${MAX_ROOM_CHARACTERS}, fewer if they are not a-z, 0-9, "_", "-" or "."`
  );
}

function toEscape(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
