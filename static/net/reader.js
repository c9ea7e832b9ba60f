import { abortOnSilence } from '../lib/time.js';
import { clock } from '../model/clock.js';
import { EMPTY_ROOM, formatCursor, parseCursor } from '../model/cursor.js';
import { LONG_LINE, splitLines } from '../model/line.js';
import { chatPath } from '../model/room.js';
import { fetchRoom, noteServer } from './answer.js';

/**
 * net/ talks to the service: it reads a room, follows its stream and posts to it. It says what came
 * or what went wrong, and leaves it to sync/ what to do then. This file reads by byte ranges, which
 * are small, so that on a slow line something comes soon, and gives whole lines. A line longer than
 * a range comes in parts, each a note.
 * @import { Line } from '../model/line.js'
 * @import { Cursor } from '../model/cursor.js'
 * @typedef {{ bytes: Uint8Array, offset: number, size: number, cursor: Cursor, etag: string,
 *   isUnchanged: boolean }} ByteRange bytes from an offset of a room of `size` bytes
 * @typedef {{ lines: Line[], unterminated: Line | undefined, start: number, end: number,
 *   cursor: Cursor, isCut: boolean, isOpen: boolean }} LineRange lines from `start` to `end`;
 *   `unterminated`: what the room ends in without LF; `cursor`: the room's; `isCut`: no line begins
 *   where the range does; `isOpen`: the last line goes on behind `end`
 */

/** The least that is asked for at once. */
export const RANGE_BYTES = 65_536;
const TAIL = `-${RANGE_BYTES}`;
const SILENCE_MS = 20_000;
const LF = 10;

/** Reads the room of this page. */
class RoomReader {
	/** The entity tag of the last news, and the room's cursor then. */
	#known = { etag: '', cursor: '' };

	/** Reads the last lines. */
	async readTail() {
		return toLines(await fetchRange(TAIL));
	}

	/**
	 * Reads the lines before an offset.
	 * @param {number} offset @param {number} [bytes] @param {AbortSignal} [signal]
	 */
	async readBefore(offset, bytes = RANGE_BYTES, signal) {
		const range = `${Math.max(0, offset - bytes)}-${offset - 1}`;
		return toLines(await fetchRange(range, signal), 'end');
	}

	/** Reads the lines around any byte. @param {number} offset */
	async readAround(offset) {
		const bytes = RANGE_BYTES / 2;
		return toLines(await fetchRange(`${Math.max(0, offset - bytes)}-${offset + bytes}`));
	}

	/** Reads the lines behind an offset. @param {number} offset */
	async readAfter(offset) {
		return toLines(await fetchRange(toRangeAfter(offset)), 'start');
	}

	/**
	 * Reads what is new since a cursor.
	 * @param {Cursor} cursor
	 * @returns undefined where the room has ended there since the last call
	 */
	async readNews({ epoch, offset }) {
		const cursor = formatCursor({ epoch, offset });
		const etag = cursor === this.#known.cursor ? this.#known.etag : '';
		// A room may still be empty, and have no other range than its tail.
		const news = await fetchRange(offset ? toRangeAfter(offset) : TAIL, undefined, etag);
		if (news.isUnchanged) return undefined;
		this.#known = { etag: news.etag, cursor: formatCursor(news.cursor) };
		return toLines(news, offset ? 'start' : undefined);
	}
}

/** A range begins with the byte before its first line, which tells whether a line begins there. @param {number} offset */
function toRangeAfter(offset) {
	const from = Math.max(0, offset - 1);
	return `${from}-${from + RANGE_BYTES}`;
}

/**
 * @param {string} range as in `Range: bytes=<range>` @param {AbortSignal} [signal]
 * @param {string} [etag] of the answer that is known
 * @returns {Promise<ByteRange>}
 */
async function fetchRange(range, signal, etag) {
	const headers = new Headers({ Range: `bytes=${range}` });
	if (etag) headers.set('If-None-Match', etag);
	const silence = abortOnSilence(SILENCE_MS, signal);
	const init = { headers, cache: /** @type {const} */ ('no-store'), signal: silence.signal };
	const answer = await fetchRoom(chatPath(), init);
	const { status } = answer;
	noteServer('text', answer);
	clock.setZone(answer.headers.get('chat-time-zone'));
	const bytes = answer.ok ? await readBody(answer, silence.restart) : new Uint8Array();
	const cursor = parseCursor(answer.headers.get('chat-cursor')) ?? EMPTY_ROOM;
	const contentRange = answer.headers.get('content-range') ?? '';
	const bounds = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(contentRange);
	const size = Number(bounds?.[2] ?? (status === 200 ? bytes.length : cursor.offset));
	const offset = status === 200 ? 0 : Number(bounds?.[1] ?? size);
	const isUnchanged = status === 304;
	return { bytes, offset, size, cursor, isUnchanged, etag: answer.headers.get('etag') ?? '' };
}

/** @param {Response} answer @param {() => void} onChunk */
async function readBody(answer, onChunk) {
	const chunks = [];
	const body = answer.body?.getReader();
	for (let chunk = await body?.read(); chunk?.value; chunk = await body?.read()) {
		onChunk();
		chunks.push(chunk.value);
	}
	return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/**
 * @param {ByteRange} range @param {'start' | 'end'} [wanted] the end of the range that the lines
 *   reach to, even with a part of one; else whole lines are enough, if there are any
 * @returns {LineRange}
 */
function toLines({ bytes, offset, size, cursor }, wanted) {
	const before = offset ? 1 : 0;
	const isCut = before > 0 && bytes.length > 0 && bytes[0] !== LF;
	const { lines, unterminated: rest } = splitLines(bytes.subarray(before), offset + before);
	const isLast = offset + bytes.length >= size;
	const isOpen = Boolean(rest && rest.start < cursor.offset) && (wanted === 'end' || !lines.length);
	if (rest && isOpen) lines.push({ ...rest, text: LONG_LINE });
	const [first = rest] = lines;
	if (isCut && lines.length > 1 && wanted !== 'start') lines.shift();
	else if (isCut && first) first.text = LONG_LINE;
	const start = lines[0]?.start ?? Math.min(offset + before, cursor.offset);
	const end = lines.at(-1)?.end ?? start;
	return {
		lines,
		unterminated: isLast && !isOpen ? rest : undefined,
		start,
		end,
		cursor,
		isCut,
		isOpen,
	};
}

export const reader = new RoomReader();
