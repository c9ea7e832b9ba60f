/**
 * A position in a room, after a line: the byte offset, and the epoch, which tells the room from
 * another that was begun under the same name.
 * @typedef {{ epoch: string, offset: number }} Cursor
 */

/** The cursor of an empty room. @type {Cursor} */
export const EMPTY_ROOM = { epoch: '00000000', offset: 0 };

/**
 * @param {string | null} [text] `<epoch>-<offset>`
 * @returns {Cursor | undefined}
 */
export function parseCursor(text) {
	const [, epoch, offset] = /^([0-9a-f]{8})-(\d{1,15})$/.exec(text ?? '') ?? [];
	return epoch ? { epoch, offset: Number(offset) } : undefined;
}

/** @param {Cursor} cursor */
export function formatCursor({ epoch, offset }) {
	return `${epoch}-${offset}`;
}

/** The byte offset that an address ends in, as `#1234`, if it does. @param {string} hash */
export function parseOffset(hash) {
	return /^#\d{1,15}$/.test(hash) ? Number(hash.slice(1)) : undefined;
}
