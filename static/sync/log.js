import { Emitter } from '../lib/emitter.js';
import { EMPTY_ROOM } from '../model/cursor.js';
import { includesOffset } from '../model/line.js';
import { reader } from '../net/reader.js';

/**
 * @import { Line } from '../model/line.js'
 * @import { LineRange } from '../net/reader.js'
 */

/** The log catches up on no more than this, 10 s of a slow line; of more it reads the end only. */
const CATCH_UP_BYTES = 262_144;

/**
 * sync/ keeps the page in step with its room and sends what the reader writes: the log, the
 * connection that feeds it, the other tabs and the outbox. It shows nothing.
 *
 * The log is what the page knows of the room: everything up to `cursor`. Every line, whether
 * streamed, polled, from another tab or in the answer to a POST, comes through here and counts once,
 * by its byte offsets.
 *
 * - `open` ({ range, offset }): the room is known from a new range on; `offset`: the line to show
 * - `lines` ({ lines, isFromTab }): these lines came next
 * - `gap` ({ range, from }): what came next was too much; `range` is its end, `from` the old cursor's
 *   offset
 */
class RoomLog extends Emitter {
	#openings = 0;
	/** @type {Promise<void> | undefined} */
	#catchingUp;
	#isBehind = false;
	cursor = EMPTY_ROOM;
	isOpen = false;

	/** Opens the room at its end. */
	openTail() {
		return this.#open(reader.readTail());
	}

	/** Opens the room at the line of a byte, or at its end where there is none. @param {number} offset */
	async openAt(offset) {
		return (await this.#open(reader.readAround(offset), offset)) ?? this.openTail();
	}

	/**
	 * @param {Promise<LineRange>} reading @param {number} [offset]
	 * @returns the line at the offset, if there is one
	 */
	async #open(reading, offset = -1) {
		this.#openings += 1;
		const opening = this.#openings;
		const range = await reading;
		const line = range.lines.find((one) => includesOffset(one, offset));
		// A later call counts, even if its answer came first.
		if (opening === this.#openings && (line || offset < 0)) this.#restart(range, line?.start);
		return line;
	}

	/**
	 * Takes a line that came live: in any order, at any time, perhaps through another tab.
	 * @param {string} epoch @param {Line} line
	 */
	receive(epoch, line, isFromTab = false) {
		if (this.isOpen && this.#append([line], epoch, isFromTab)) return;
		this.catchUp().catch(() => {});
	}

	/** Reads what is new; opens the room where that hasn't worked yet. Rejects if it can't. */
	catchUp() {
		this.#isBehind = true;
		this.#catchingUp ??= this.#readNews().finally(() => {
			this.#catchingUp = undefined;
		});
		return this.#catchingUp;
	}

	async #readNews() {
		while (this.#isBehind) {
			this.#isBehind = false;
			if (!this.isOpen) await this.openTail();
			else await this.#takeNews();
		}
	}

	async #takeNews() {
		let range = await reader.readNews(this.cursor);
		while (range) {
			const { cursor, lines } = range;
			if (range.isCut || this.#isOtherRoom(cursor.epoch)) return this.openTail();
			const aheadBytes = cursor.offset - this.cursor.offset;
			const hasGap = range.isOpen || range.start > this.cursor.offset;
			if (hasGap || aheadBytes > CATCH_UP_BYTES) return this.#skipTo(await reader.readTail());
			this.#append(lines, cursor.epoch, false);
			if (this.cursor.offset >= cursor.offset || !lines.length) return;
			range = await reader.readAfter(this.cursor.offset);
		}
	}

	/**
	 * Appends the lines that continue the log, and none that it has.
	 * @param {Line[]} lines @param {string} epoch @param {boolean} isFromTab
	 * @returns false where something is missing before one of them
	 */
	#append(lines, epoch, isFromTab) {
		if (this.#isOtherRoom(epoch)) return false;
		/** @type {Line[]} */
		const fresh = [];
		let { offset } = this.cursor;
		for (const line of lines) {
			if (line.start !== offset) continue;
			fresh.push(line);
			offset = line.end;
		}
		if (fresh.length) {
			this.cursor = { epoch, offset };
			this.emit('lines', { lines: fresh, isFromTab });
		}
		return lines.every((line) => line.end <= offset);
	}

	/** @param {LineRange} range @param {number} [offset] */
	#restart(range, offset) {
		const { epoch } = range.cursor;
		const end = Math.max(range.end, range.cursor.offset);
		// Lines that came while this was being read have to come again.
		const isBehind = this.isOpen && !this.#isOtherRoom(epoch) && this.cursor.offset > end;
		this.cursor = { epoch, offset: end };
		this.isOpen = true;
		this.emit('open', { range, offset });
		if (isBehind) this.catchUp().catch(() => {});
	}

	/** @param {LineRange} tail */
	#skipTo(tail) {
		const from = this.cursor.offset;
		if (this.#isOtherRoom(tail.cursor.epoch) || tail.end <= from) return this.#restart(tail);
		this.cursor = { epoch: tail.cursor.epoch, offset: tail.end };
		this.emit('gap', { range: tail, from });
	}

	/** Whether another room was begun under the same name. @param {string} epoch */
	#isOtherRoom(epoch) {
		return epoch !== this.cursor.epoch && this.cursor.offset > 0;
	}
}

export const log = new RoomLog();
