/** Room names in addresses: `/<room>` for people, `/chat/<room>` for the text. */

/**
 * The room an address path stands for, `general` for `/`.
 * @param {string} pathname
 */
export function roomOf(pathname) {
  const segment = pathname.slice(1);
  try {
    return decodeURIComponent(segment) || 'general';
  } catch {
    return segment;
  }
}

/**
 * @param {string} room
 * @param {number} [offset] byte offset of a line, for a link to it
 */
export function pagePath(room, offset) {
  return `/${encodeURIComponent(room)}${offset === undefined ? '' : `#${offset}`}`;
}

/** @param {string} room */
export function textPath(room) {
  return `/chat/${encodeURIComponent(room)}`;
}

/**
 * The byte offset in a fragment such as `#1234`, if it is one.
 * @param {string} hash
 */
export function offsetOf(hash) {
  return /^#\d{1,15}$/.test(hash) ? Number(hash.slice(1)) : undefined;
}

/**
 * Why a name can't be a room's (contract §2), or nothing.
 * @param {string} room
 */
export function faultOfRoom(room) {
  if (room === '.' || room === '..') return 'A room can’t be called that.';
  if (/\p{Cc}/u.test(room)) return 'A room’s name has no control characters.';
  if ([...room].length > 100) return 'A room’s name has at most 100 characters.';
  return '';
}

/** @typedef {{ epoch: string, offset: number }} Cursor a place in a room, contract §5 */

/** The cursor of a room nobody has written to. @type {Readonly<Cursor>} */
export const START = Object.freeze({ epoch: '00000000', offset: 0 });

/**
 * @param {string | null} text `<epoch>-<offset>`
 * @returns {Cursor | undefined}
 */
export function parseCursor(text) {
  const match = /^([0-9a-f]{8})-(\d{1,15})$/.exec(text ?? '');
  return match ? { epoch: match[1] ?? '', offset: Number(match[2]) } : undefined;
}

/** @param {Cursor} cursor */
export function formatCursor(cursor) {
  return `${cursor.epoch}-${cursor.offset}`;
}
