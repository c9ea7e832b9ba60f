import { abortAfter } from '../lib/time.js';
import { clock } from '../model/clock.js';
import { EMPTY_ROOM, parseCursor } from '../model/cursor.js';
import { splitLines } from '../model/line.js';
import { chatPath } from '../model/room.js';
import { fetchRoom, noteServer } from './answer.js';

/**
 * net/ talks to the service: it reads a room, follows its stream and posts to it. It says what came
 * or what went wrong, and leaves it to sync/ what to do then. This file reads by byte ranges and
 * gives whole lines, whatever a range cuts through.
 * @import { Line } from '../model/line.js'
 * @import { Cursor } from '../model/cursor.js'
 * @typedef {{ bytes: Uint8Array, offset: number, size: number, cursor: Cursor,
 *   isUnchanged: boolean }} ByteRange bytes from an offset of a room of `size` bytes
 * @typedef {{ lines: Line[], unterminated: Line | undefined, start: number, end: number,
 *   size: number, cursor: Cursor }} LineRange whole lines from `start` to `end`; `unterminated`: what
 *   the room ends in without LF; `cursor`: the room's
 */

const RANGE_BYTES = 65_536;
const NEWS_BYTES = 1_048_576;
const TIMEOUT_MS = 30_000;
const LF = 10;

/** Reads the room of this page. */
class RoomReader {
	#etag = '';

	/** Reads the last lines. */
	readTail() {
		this.#etag = '';
		return this.#readLines((bytes) => `-${bytes}`, RANGE_BYTES);
	}

	/**
	 * Reads the lines before the one that begins at an offset.
	 * @param {number} offset @param {number} [bytes] @param {AbortSignal} [signal]
	 */
	readBefore(offset, bytes = RANGE_BYTES, signal) {
		return this.#readLines((n) => `${Math.max(0, offset - n)}-${offset - 1}`, bytes, signal);
	}

	/** Reads the lines around any byte. @param {number} offset */
	readAround(offset) {
		const toRange = (/** @type {number} */ n) => `${Math.max(0, offset - n)}-${offset + n}`;
		return this.#readLines(toRange, RANGE_BYTES / 2);
	}

	/** Reads the lines from the one that begins at an offset. @param {number} offset */
	async readAfter(offset) {
		for (let bytes = RANGE_BYTES; ; bytes *= 2) {
			const range = await this.#fetch(`${offset}-${offset + bytes - 1}`);
			const lines = toLines(range, offset);
			if (lines.lines.length || range.offset + range.bytes.length >= range.size) return lines;
		}
	}

	/**
	 * Reads what is new since an offset. It begins at the LF before: where there is none, somebody
	 * edited the room.
	 * @param {number} offset
	 * @returns undefined where the room is as it was at the last call
	 */
	async readNews(offset) {
		const from = Math.max(0, offset - 1);
		const range = await this.#fetch(
			offset ? `${from}-${from + NEWS_BYTES}` : '',
			undefined,
			this.#etag,
		);
		if (range.isUnchanged) return undefined;
		return { range: toLines(range, offset), isEdited: offset > 0 && range.bytes[0] !== LF };
	}

	/**
	 * Reads more and more bytes until there is a whole line in them.
	 * @param {(bytes: number) => string} toRange @param {number} firstBytes @param {AbortSignal} [signal]
	 */
	async #readLines(toRange, firstBytes, signal) {
		for (let bytes = firstBytes; ; bytes *= 2) {
			const range = await this.#fetch(toRange(bytes), signal);
			// A range that begins behind the room's first byte seldom begins where a line does.
			const isCut = range.offset > 0;
			const lines = toLines(range, range.offset + (isCut ? range.bytes.indexOf(LF) + 1 : 0));
			if (lines.lines.length || !isCut) return lines;
		}
	}

	/**
	 * @param {string} range as in `Range: bytes=<range>`; '' for all @param {AbortSignal} [signal]
	 * @param {string} [etag] of the answer that is known
	 * @returns {Promise<ByteRange>}
	 */
	async #fetch(range, signal, etag) {
		const headers = new Headers(range ? { Range: `bytes=${range}` } : {});
		if (etag) headers.set('If-None-Match', etag);
		const answer = await fetchRoom(chatPath(), {
			headers,
			cache: 'no-store',
			signal: abortAfter(TIMEOUT_MS, signal),
		});
		const { status } = answer;
		noteServer('text', answer);
		clock.setZone(answer.headers.get('chat-time-zone'));
		const isUnchanged = status === 304;
		const bytes = new Uint8Array(answer.ok ? await answer.arrayBuffer() : []);
		// Only now is the body whole.
		if (etag !== undefined && !isUnchanged) this.#etag = answer.headers.get('etag') ?? '';
		const cursor = parseCursor(answer.headers.get('chat-cursor')) ?? EMPTY_ROOM;
		if (status === 200) return { bytes, offset: 0, size: bytes.length, cursor, isUnchanged };
		const contentRange = answer.headers.get('content-range') ?? '';
		const bounds = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(contentRange);
		const size = Number(bounds?.[2] ?? cursor.offset);
		return { bytes, offset: Number(bounds?.[1] ?? size), size, cursor, isUnchanged };
	}
}

/** @param {ByteRange} range @param {number} start where a line begins @returns {LineRange} */
function toLines({ bytes, offset, size, cursor }, start) {
	const { lines, unterminated } = splitLines(bytes.subarray(Math.max(0, start - offset)), start);
	const isLast = offset + bytes.length >= size;
	const end = lines.at(-1)?.end ?? start;
	return { lines, unterminated: isLast ? unterminated : undefined, start, end, size, cursor };
}

/** The one reader of the page. */
export const reader = new RoomReader();
