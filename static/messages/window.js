import { on } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { reader } from '../net/reader.js';
import { log } from '../sync/log.js';
import { rows } from './rows.js';
import { scroll } from './scroll.js';

/**
 * @import { Line } from '../model/line.js'
 * @import { LineRange } from '../net/reader.js'
 */

/** The most rows in the document. */
const ROW_LIMIT = 2000;
/** How many rows paging adds. */
const PAGE_ROWS = 500;

/**
 * messages/ shows the room: rows of text, what is new among them, and the messages on their way. It
 * follows sync/ and knows no panel.
 *
 * The window is the part of the room that has rows, from `start` to some end. It follows the log
 * while it is at the tail. Scrolling to either end adds rows there and drops as many at the other.
 * `change`: other rows are shown.
 */
class MessageWindow extends Emitter {
	/** The offset at which the shown lines begin. */
	start = 0;
	#end = 0;
	/** Counts what was shown anew, so that a page that comes late is not added to other rows. */
	#generation = 0;
	#isPaging = false;

	constructor() {
		super();
		on(scroll, 'move', () => this.#page());
		on(log, 'open', ({ detail: { range, offset } }) => this.#show(range, offset));
		on(log, 'lines', ({ detail }) => this.#append(detail.lines));
		on(log, 'gap', ({ detail: { range, from } }) => {
			if (this.#end === from) this.#show(range);
			else this.#update();
		});
	}

	/** Whether the shown lines reach to the room's end. */
	get isAtTail() {
		return this.#end === log.cursor.offset;
	}

	/** Brings the reader to the end of the room. */
	async showLatest() {
		if (!this.isAtTail) await log.openTail().catch(() => {});
		scroll.toBottom();
	}

	/**
	 * Brings the reader to the line of a byte.
	 * @param {number} offset
	 * @returns its element, if there is such a line
	 */
	async showLine(offset) {
		if (!rows.find(offset)) await log.openAt(offset);
		const element = rows.find(offset)?.element;
		if (element) scroll.toElement(element);
		return element;
	}

	/**
	 * Shows the last lines of a range, or those around the one at an offset.
	 * @param {LineRange} range @param {number} [offset]
	 */
	#show({ lines, end, unterminated }, offset) {
		const middle = lines.findIndex((line) => line.start === offset);
		this.#generation += 1;
		this.start = this.#end = end;
		if (middle < 0) rows.show(lines.slice(-2 * PAGE_ROWS));
		else rows.show(lines.slice(Math.max(0, middle - PAGE_ROWS), middle + PAGE_ROWS));
		this.#update();
		rows.showUnterminated(this.isAtTail ? unterminated : undefined);
		this.emit('change');
		// The rows may fill no screen.
		void this.#page();
	}

	/** @param {Line[]} lines the next ones of the log */
	#append(lines) {
		const isNext = lines[0]?.start === this.#end;
		// A reader further up keeps the rows they read: these are paged in when they come down.
		const isFull = rows.count + lines.length > ROW_LIMIT && !scroll.isAtBottom;
		if (isNext && !isFull) {
			rows.append(lines.slice(-ROW_LIMIT));
			rows.dropFirst(rows.count - ROW_LIMIT);
		}
		this.#update();
		this.emit('change');
	}

	async #page() {
		if (this.#isPaging) return;
		this.#isPaging = true;
		try {
			if (scroll.isNearTop && this.start > 0) await this.#pageUp();
			else if (scroll.isNearBottom && !this.isAtTail) await this.#pageDown();
			else return;
			this.#update();
			this.emit('change');
		} catch {
			// The next scrolling tries again; the connection's status says what is wrong.
		} finally {
			this.#isPaging = false;
		}
	}

	async #pageUp() {
		const generation = this.#generation;
		const lines = (await reader.readBefore(this.start)).lines.slice(-PAGE_ROWS);
		if (generation !== this.#generation || lines.at(-1)?.end !== this.start) return;
		scroll.preserve(() => {
			rows.prepend(lines);
			rows.dropLast(rows.count - ROW_LIMIT);
		});
	}

	async #pageDown() {
		const generation = this.#generation;
		const range = await reader.readAfter(this.#end);
		const known = range.lines.filter((line) => line.end <= log.cursor.offset);
		const lines = known.slice(0, PAGE_ROWS);
		if (generation !== this.#generation || lines[0]?.start !== this.#end) return;
		scroll.preserve(() => {
			rows.append(lines);
			rows.dropFirst(rows.count - ROW_LIMIT);
		});
	}

	/** Takes the bounds of the window from its rows. */
	#update() {
		this.start = rows.first?.start ?? this.start;
		this.#end = rows.last?.end ?? this.#end;
		scroll.isRoomEnd = this.isAtTail;
	}
}

export const messageWindow = new MessageWindow();
