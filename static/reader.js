import { parseCursor, START, textPath } from './address.js';
import { cutLines } from './line.js';

/**
 * @typedef {import('./line.js').Line} Line
 * @typedef {import('./address.js').Cursor} Cursor
 * @typedef {{ bytes: Uint8Array, from: number, size: number, cursor: Cursor }} Piece
 * @typedef {{ lines: Line[], stump: Line | undefined, start: number, end: number, size: number,
 *   cursor: Cursor }} Page
 *   whole lines from byte `start` to byte `end` of a room of `size` bytes
 */

/** How much is read at a time, in bytes. */
export const PAGE_BYTES = 65_536;
const TIMEOUT_MS = 30_000;

/** The server's answer was a refusal; its message is the server's own words. */
export class Refusal extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message || `The server answered ${status}.`);
    this.status = status;
  }
}

/** @param {Response} answer */
export async function refusalOf(answer) {
  const html = answer.headers.get('content-type')?.includes('html');
  const body = html ? '' : (await answer.text().catch(() => '')).slice(0, 300).trim();
  return new Refusal(answer.status, body);
}

/** Reads a room's text by byte ranges, and gives whole lines whatever the range cut through. */
export class RoomReader {
  #url;
  #heard;
  #etag = '';

  /**
   * @param {string} room
   * @param {(server: string | null) => void} heard told which server answered
   */
  constructor(room, heard) {
    this.#url = textPath(room);
    this.#heard = heard;
  }

  /** The last lines of the room. */
  tail() {
    this.#etag = '';
    return this.#whole((sizeBytes) => `bytes=-${sizeBytes}`, PAGE_BYTES);
  }

  /**
   * The lines that end at a byte offset or before it, the nearest ones.
   * @param {number} offset where a line begins
   * @param {number} [bytes]
   * @param {AbortSignal} [signal]
   */
  before(offset, bytes = PAGE_BYTES, signal) {
    return this.#whole((n) => `bytes=${Math.max(0, offset - n)}-${offset - 1}`, bytes, signal);
  }

  /**
   * The lines around a byte offset, which need not begin one.
   * @param {number} offset
   */
  around(offset) {
    return this.#whole((n) => `bytes=${Math.max(0, offset - n)}-${offset + n}`, PAGE_BYTES / 2);
  }

  /**
   * The lines from a byte offset on.
   * @param {number} offset where a line begins
   * @param {number} [bytes] at most that many
   */
  async after(offset, bytes = 16 * PAGE_BYTES) {
    for (let n = bytes; ; n *= 2) {
      const piece = await this.#read(`bytes=${offset}-${offset + n - 1}`);
      const page = toPage(piece, offset);
      if (page.end > offset || piece.from + piece.bytes.length >= piece.size) return page;
    }
  }

  /**
   * What is new since a byte offset (at most 1 MiB of it), or nothing when the room is as it was at
   * the last call. It reads from the LF before the offset: where there is none, the room was edited
   * and the offset has moved.
   * @param {number} offset
   */
  async poll(offset) {
    const from = Math.max(0, offset - 1);
    const range = `bytes=${from}-${from + 16 * PAGE_BYTES}`;
    const piece = await this.#readIfNew(range, this.#etag);
    const hasMoved = offset > 0 && piece?.bytes[0] !== 10;
    return piece && { page: toPage(piece, offset), hasMoved };
  }

  /**
   * Reads ever more until a whole line is in it (hand-made lines may be long).
   * @param {(bytes: number) => string} range
   * @param {number} bytes
   * @param {AbortSignal} [signal]
   */
  async #whole(range, bytes, signal) {
    for (let n = bytes; ; n *= 2) {
      const piece = await this.#read(range(n), signal);
      const page = toPage(piece, firstLineStart(piece));
      if (page.lines.length || piece.from === 0) return page;
    }
  }

  /**
   * @param {string} range
   * @param {AbortSignal} [signal]
   * @returns {Promise<Piece>}
   */
  async #read(range, signal) {
    return /** @type {Piece} */ (await this.#readIfNew(range, undefined, signal));
  }

  /**
   * @param {string} range
   * @param {string} [etag] with one, an unchanged room gives undefined
   * @param {AbortSignal} [signal]
   * @returns {Promise<Piece | undefined>}
   */
  async #readIfNew(range, etag, signal) {
    /** @type {Record<string, string>} */
    const headers = { Range: range };
    if (etag) headers['If-None-Match'] = etag;
    const deadline = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(this.#url, {
      headers,
      cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
    this.#heard(answer.headers.get('chat-server'));
    const bounds = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(
      answer.headers.get('content-range') ?? '',
    );
    const cursor = parseCursor(answer.headers.get('chat-cursor')) ?? START;
    /** @type {Piece | undefined} */
    let piece;
    if (answer.status === 416) {
      const size = Number(bounds?.[2] ?? cursor.offset);
      piece = { bytes: new Uint8Array(), from: size, size, cursor };
    } else if (answer.ok) {
      const bytes = new Uint8Array(await answer.arrayBuffer());
      const from = answer.status === 206 ? Number(bounds?.[1]) : 0;
      const size = answer.status === 206 ? Number(bounds?.[2]) : bytes.length;
      piece = { bytes, from, size, cursor };
    } else if (answer.status !== 304) {
      throw await refusalOf(answer);
    }
    // Only now: had the body been cut off, the next poll has to bring it again.
    if (etag !== undefined && piece) this.#etag = answer.headers.get('etag') ?? '';
    return piece;
  }
}

/**
 * Where the first line begins that the piece holds from its beginning. A range seldom starts
 * exactly at one, and the bytes before the first LF may even begin inside a character.
 * @param {Piece} piece
 */
function firstLineStart({ bytes, from }) {
  return from === 0 ? 0 : from + bytes.indexOf(10) + 1 || from;
}

/**
 * @param {Piece} piece
 * @param {number} start
 * @returns {Page}
 */
function toPage({ bytes, from, size, cursor }, start) {
  const { lines, stump } = cutLines(bytes.subarray(Math.max(0, start - from)), start);
  const end = lines.at(-1)?.end ?? start;
  // What follows the last LF is a line without one only where the room itself ends.
  const isLast = from + bytes.length >= size;
  return { lines, stump: isLast ? stump : undefined, start, end, size, cursor };
}
