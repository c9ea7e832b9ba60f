import { splitLetters } from './letters.js';

/** Rooms as addresses have them. */

/** The room of this page; `/` stands for `general`. */
export const room = parseRoom(location.pathname.slice(1));

/** @param {string} segment of a path */
function parseRoom(segment) {
	try {
		return decodeURIComponent(segment) || 'general';
	} catch {
		return segment;
	}
}

/** The path of a room's page. @param {string} [name] */
export function pagePath(name = room) {
	return `/${encodeURIComponent(name)}`;
}

/** The path of a room's messages. @param {string} [name] */
export function chatPath(name) {
	return `/chat${pagePath(name)}`;
}

/** The longest name of a room, in characters, and in bytes as a file's name has them. */
const CHARACTER_LIMIT = 100;
const ESCAPED_BYTE_LIMIT = 240;

/**
 * A room's name as it is meant: `#general` and `/lobby` are how people write of rooms, and what looks
 * the same is one room. Nothing stands for `general`.
 * @param {string} typed
 */
export function normalizeRoomName(typed) {
	const name = typed.trim().replace(/^[#/]/, '').trim();
	return name.normalize() || 'general';
}

/** Why a room can't have this name (docs/http.md), or ''. @param {string} name */
export function checkRoomName(name) {
	if (/^\.\.?$/.test(name)) return 'A room can’t be called that.';
	if (/\p{Cc}/u.test(name)) return 'No control characters, please.';
	const letters = splitLetters(name);
	let count = Math.min(letters.length, CHARACTER_LIMIT);
	while (!fitsLimits(letters.slice(0, count).join(''))) count -= 1;
	const excess = letters.length - count;
	return excess ? `That is too long by ${excess} ${excess === 1 ? 'letter' : 'letters'}.` : '';
}

/** @param {string} name */
function fitsLimits(name) {
	const plain = name.replace(/^\./, '%').replace(/[^a-z0-9_.-]/g, '').length;
	const bytes = new TextEncoder().encode(name).length;
	// Every byte but those of plain characters is written `%XX`.
	return [...name].length <= CHARACTER_LIMIT && plain + 3 * (bytes - plain) <= ESCAPED_BYTE_LIMIT;
}
