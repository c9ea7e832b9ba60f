/**
 * model/ is what the page knows: rooms, cursors, lines, the reader's name, the rooms they visited and
 * the servers that answered. It uses neither the network nor the document. This file is the line:
 * a message as it is stored.
 * @typedef {{ start: number, end: number, text: string }} Line `start` and `end` are byte offsets
 */

/** The longest message, in characters. */
export const MESSAGE_LIMIT = 4000;
/** The longest line that is shown, in bytes. No message comes near it. */
const LINE_LIMIT_BYTES = 65_536;
/** What is shown of a longer line, or of a part of it. */
export const LONG_LINE = '(A line too long to be shown. Save the room to read it.)';

const LF = 10;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Splits a part of a room into lines. Each is decoded by itself, so that bytes that are not UTF-8
 * shift no offset.
 * @param {Uint8Array} bytes @param {number} offset where they begin in the room
 * @returns {{ lines: Line[], unterminated: Line | undefined }} `unterminated`: what follows the last LF
 */
export function splitLines(bytes, offset) {
	/** @type {Line[]} */
	const lines = [];
	let begin = 0;
	const cut = (/** @type {number} */ end, /** @type {number} */ next) => {
		const text = decoder.decode(bytes.subarray(begin, end)).replace(/\r$/, '');
		const line = makeLine(offset + begin, offset + next, text);
		begin = next;
		return line;
	};
	for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, begin)) {
		lines.push(cut(lf, lf + 1));
	}
	const isUnterminated = begin < bytes.length;
	return { lines, unterminated: isUnterminated ? cut(bytes.length, bytes.length) : undefined };
}

/** @param {number} start @param {number} end @param {string} text @returns {Line} */
export function makeLine(start, end, text) {
	return { start, end, text: end - start > LINE_LIMIT_BYTES ? LONG_LINE : text };
}

/** Whether a line has the byte at an offset. @param {Line} line @param {number} offset */
export function includesOffset({ start, end }, offset) {
	return start <= offset && offset < end;
}

/**
 * The parts of a line; one that no server wrote is all message. A file made by hand may begin with a
 * byte order mark.
 * @param {string} text
 */
export function parseLine(text) {
	const match = /^\uFEFF?\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] (.+?): (.*)$/su.exec(text);
	const [, time = '', name = '', message = text] = match ?? [];
	return { time, name, message };
}

/** Whether a text shows nothing: white space and invisible characters alone. @param {string} text */
export function isBlank(text) {
	return /^[\s\u2800\p{Cf}\p{Default_Ignorable_Code_Point}]*$/u.test(text);
}

/** A name as the server stores it. @param {string} name */
export function cleanName(name) {
	return cleanCharacters(name.trim());
}

/** Why somebody can't have this name, or ''. @param {string} name as typed */
export function faultOfName(name) {
	if (isBlank(name)) return name.trim() ? 'A name has a letter that shows.' : 'Please give a name.';
	if ([...cleanName(name)].length > 64) return 'A name has at most 64 characters.';
	return /: |:$|[\r\n]/.test(name.trim()) ? 'A name has no “: ” and no line break in it.' : '';
}

/** A message as the server stores it. @param {string} message */
export function cleanMessage(message) {
	let end = message.length;
	while (/[\r\n]/.test(message.charAt(end - 1))) end -= 1;
	return cleanCharacters(message.slice(0, end).replace(/\r\n?|\n/g, '↵'));
}

/** Counts characters as the server does. @param {string} message */
export function countCharacters(message) {
	return [...cleanMessage(message)].length;
}

/** @param {string} text */
function cleanCharacters(text) {
	return text.replace(/\p{Cs}|(?!\t)[\p{Cc}\u2028\u2029]/gu, '\uFFFD');
}
