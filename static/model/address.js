/** Rooms and places in them, as addresses have them. */

/** @typedef {{ epoch: string, offset: number }} Cursor a place in a room, contract §5 */

/** The room of this page; `/` stands for `general`. */
export const room = roomOf(location.pathname.slice(1));

/** @param {string} segment */
function roomOf(segment) {
	try {
		return decodeURIComponent(segment) || 'general';
	} catch {
		return segment;
	}
}

/** A room's page. @param {string} [name] */
export function pagePath(name = room) {
	return `/${encodeURIComponent(name)}`;
}

/** A room's text. @param {string} [name] */
export function textPath(name) {
	return `/chat${pagePath(name)}`;
}

/** The byte offset in `#1234`, if it is one. @param {string} hash */
export function offsetOf(hash) {
	return /^#\d{1,15}$/.test(hash) ? Number(hash.slice(1)) : undefined;
}

/** Why a name can't be a room's (contract §2), or nothing. @param {string} name */
export function faultOfRoom(name) {
	if (/^\.\.?$/.test(name)) return 'A room can’t be called that.';
	if (/\p{Cc}/u.test(name)) return 'No control characters, please.';
	return [...name].length > 100 ? 'A room’s name has at most 100 characters.' : '';
}

/** The cursor of an empty room. @type {Cursor} */
export const START = { epoch: '00000000', offset: 0 };

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
