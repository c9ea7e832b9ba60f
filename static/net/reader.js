import { parseCursor, START, textPath } from '../model/address.js';
import { clock } from '../model/clock.js';
import { cutLines } from '../model/line.js';
import { servers } from '../panels/servers.js';

/**
 * @import { Line } from '../model/line.js'
 * @import { Cursor } from '../model/address.js'
 * @typedef {{ bytes: Uint8Array, from: number, size: number, cursor: Cursor, isOld: boolean }} Piece
 * @typedef {{ lines: Line[], stump: Line | undefined, start: number, end: number, size: number,
 *   cursor: Cursor }} Page whole lines from `start` to `end` of a room of `size` bytes
 */

const PAGE_BYTES = 65_536;
const NEWS_BYTES = 1_048_576;
const TIMEOUT_MS = 30_000;

/** An answer that is a refusal, in the server's own words. */
export class Refusal extends Error {
	status = 0;

	/** @param {Response} answer */
	static async of(answer) {
		const isText = answer.headers.get('content-type')?.startsWith('text/plain');
		const words = isText ? (await answer.text().catch(() => '')).slice(0, 300).trim() : '';
		const refusal = new Refusal(words || `The server answered ${answer.status}.`);
		refusal.status = answer.status;
		return refusal;
	}
}

/** Reads a room by byte ranges, and gives whole lines whatever the range cut through. */
class RoomReader {
	#etag = '';

	tail() {
		this.#etag = '';
		return this.#whole((bytes) => `-${bytes}`, PAGE_BYTES);
	}

	/**
	 * The lines before the one that begins at an offset.
	 * @param {number} offset @param {number} [bytes] @param {AbortSignal} [signal]
	 */
	before(offset, bytes = PAGE_BYTES, signal) {
		return this.#whole((n) => `${Math.max(0, offset - n)}-${offset - 1}`, bytes, signal);
	}

	/** The lines around any byte. @param {number} offset */
	around(offset) {
		return this.#whole((n) => `${Math.max(0, offset - n)}-${offset + n}`, PAGE_BYTES / 2);
	}

	/** The lines from the one that begins at an offset. @param {number} offset */
	async after(offset) {
		for (let n = PAGE_BYTES; ; n *= 2) {
			const piece = await this.#read(`${offset}-${offset + n - 1}`);
			const page = toPage(piece, offset);
			if (page.lines.length || piece.from + piece.bytes.length >= piece.size) return page;
		}
	}

	/**
	 * What is new since an offset, or nothing where the room is as at the last call. It reads from the
	 * LF before: where there is none, somebody edited the room. @param {number} offset
	 */
	async poll(offset) {
		const from = Math.max(0, offset - 1);
		const range = offset ? `${from}-${from + NEWS_BYTES}` : '';
		const piece = await this.#read(range, undefined, this.#etag);
		if (piece.isOld) return undefined;
		return { page: toPage(piece, offset), hasMoved: offset > 0 && piece.bytes[0] !== 10 };
	}

	/**
	 * Reads ever more until a whole line is in it.
	 * @param {(bytes: number) => string} range @param {number} bytes @param {AbortSignal} [signal]
	 */
	async #whole(range, bytes, signal) {
		for (let n = bytes; ; n *= 2) {
			const piece = await this.#read(range(n), signal);
			// A range seldom begins where a line does.
			const isCut = piece.from > 0;
			const page = toPage(piece, piece.from + (isCut ? piece.bytes.indexOf(10) + 1 : 0));
			if (page.lines.length || !isCut) return page;
		}
	}

	/**
	 * @param {string} range @param {AbortSignal} [signal] @param {string} [etag]
	 * @returns {Promise<Piece>}
	 */
	async #read(range, signal, etag) {
		const headers = new Headers(range ? { Range: `bytes=${range}` } : {});
		if (etag) headers.set('If-None-Match', etag);
		const deadline = AbortSignal.timeout(TIMEOUT_MS);
		const answer = await fetch(textPath(), {
			headers,
			cache: 'no-store',
			signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
		});
		const { status } = answer;
		servers.note('text', answer.headers.get('chat-server'));
		clock.setZone(answer.headers.get('chat-time-zone'));
		const isOld = status === 304;
		if (!answer.ok && !isOld && status !== 416) throw await Refusal.of(answer);
		const bytes = new Uint8Array(answer.ok ? await answer.arrayBuffer() : []);
		// Only now that the body is whole.
		if (etag !== undefined && !isOld) this.#etag = answer.headers.get('etag') ?? '';
		const cursor = parseCursor(answer.headers.get('chat-cursor')) ?? START;
		if (status === 200) return { bytes, from: 0, size: bytes.length, cursor, isOld };
		const bounds = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(
			answer.headers.get('content-range') ?? '',
		);
		const size = Number(bounds?.[2] ?? cursor.offset);
		return { bytes, from: Number(bounds?.[1] ?? size), size, cursor, isOld };
	}
}

/** @param {Piece} piece @param {number} start where a line begins @returns {Page} */
function toPage({ bytes, from, size, cursor }, start) {
	const { lines, stump } = cutLines(bytes.subarray(Math.max(0, start - from)), start);
	const isLast = from + bytes.length >= size;
	const end = lines.at(-1)?.end ?? start;
	return { lines, stump: isLast ? stump : undefined, start, end, size, cursor };
}

export const reader = new RoomReader();
