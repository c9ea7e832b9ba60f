/** @typedef {{ start: number, end: number, text: string }} Line with byte offsets in the room */

export const MESSAGE_LIMIT = 4000;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The lines in a piece of a room that begins at a byte offset, and what follows the last LF.
 * Decoded one by one: bytes that are not UTF-8 shift nobody's offset.
 * @param {Uint8Array} bytes @param {number} from
 */
export function cutLines(bytes, from) {
	/** @type {Line[]} */
	const lines = [];
	let begin = 0;
	const cut = (/** @type {number} */ end, /** @type {number} */ next) => {
		const text = decoder.decode(bytes.subarray(begin, end)).replace(/\r$/, '');
		const line = { start: from + begin, end: from + next, text };
		begin = next;
		return line;
	};
	for (let lf = bytes.indexOf(10); lf >= 0; lf = bytes.indexOf(10, begin)) {
		lines.push(cut(lf, lf + 1));
	}
	const stump = begin < bytes.length ? cut(bytes.length, bytes.length) : undefined;
	return { lines, stump };
}

/** The parts of a line; one that no server wrote is all message. @param {string} text */
export function parseLine(text) {
	const match = /^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] (.+?): (.*)$/su.exec(text);
	const [, time = '', name = '', message = text] = match ?? [];
	return { time, name, message };
}

/** A message as the server stores it. @param {string} message */
export function cleanMessage(message) {
	return message
		.toWellFormed()
		.replace(/\r\n?|\n/g, '↵')
		.replace(/(?!\t)[\p{Cc}\u2028\u2029]/gu, '\uFFFD');
}

/** Characters as the server counts them. @param {string} message */
export function countCharacters(message) {
	return [...cleanMessage(message)].length;
}

/** Why it can't be a username, or nothing. @param {string} name */
export function faultOfName(name) {
	if (!name) return 'Please give a name.';
	if ([...name].length > 64) return 'A name has at most 64 characters.';
	return /: |:$/.test(name) ? 'A name has no “: ” in it.' : '';
}

/** A hue for a name, the same wherever it is read (FNV-1a). @param {string} name */
export function hueOf(name) {
	let hash = 0x811c9dc5;
	for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
	return ((hash >>> 0) % 12) * 30;
}
