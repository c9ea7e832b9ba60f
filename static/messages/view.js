import { on } from '../lib/dom.js';
import { reader } from '../net/reader.js';
import { rows } from './rows.js';
import { scroll } from './scroll.js';

/** @import { Line } from '../model/line.js' */

// Rows in the document at most, and rows that paging adds.
const ROW_LIMIT = 2000;
const PAGE_ROWS = 500;

/** The window on the room: scrolling pages in more at one end and drops as much at the other. */
class RoomView {
	/** The offset at which the shown lines begin. */
	from = 0;
	#to = 0;
	generation = 0;
	#isPaging = false;
	/** Where the known text of the room ends. */
	end = 0;

	/** Called when other lines are shown. */
	changed = () => {};

	constructor() {
		on(scroll, 'move', () => this.#page());
	}

	/** Whether the shown lines reach to the room's end. */
	get isAtTail() {
		return this.#to === this.end;
	}

	/**
	 * Shows the last of some lines, or those around the one at an offset.
	 * @param {import('../net/reader.js').Page} page @param {number} [offset]
	 */
	show({ lines, end, stump }, offset) {
		const middle = lines.findIndex((line) => line.start === offset);
		this.generation += 1;
		this.from = this.#to = end;
		if (middle < 0) rows.show(lines.slice(-2 * PAGE_ROWS));
		else rows.show(lines.slice(Math.max(0, middle - PAGE_ROWS), middle + PAGE_ROWS));
		this.#bound();
		rows.showStump(this.isAtTail ? stump : undefined);
		this.changed();
	}

	/** Goes on where the shown lines end. @param {Line[]} lines */
	append(lines) {
		// One who reads further up keeps what they read: the rest is paged in as they come down.
		if (rows.count + lines.length > ROW_LIMIT && !scroll.isStuck) return;
		rows.append(lines.slice(-ROW_LIMIT));
		rows.dropFirst(rows.count - ROW_LIMIT);
		this.#bound();
	}

	async #page() {
		if (this.#isPaging) return;
		this.#isPaging = true;
		try {
			if (scroll.isNearTop && this.from > 0) await this.#older();
			else if (scroll.isNearBottom && !this.isAtTail) await this.#newer();
			else return;
			this.#bound();
			this.changed();
		} catch {
			// The next scrolling tries again; the connection says what is wrong.
		} finally {
			this.#isPaging = false;
		}
	}

	async #older() {
		const { generation } = this;
		const lines = (await reader.before(this.from)).lines.slice(-PAGE_ROWS);
		if (generation !== this.generation || lines.at(-1)?.end !== this.from) return;
		scroll.preserve(() => {
			rows.prepend(lines);
			rows.dropLast(rows.count - ROW_LIMIT);
		});
	}

	async #newer() {
		const { generation } = this;
		const page = await reader.after(this.#to);
		const lines = page.lines.filter((line) => line.end <= this.end).slice(0, PAGE_ROWS);
		if (generation !== this.generation || lines[0]?.start !== this.#to) return;
		scroll.preserve(() => {
			rows.append(lines);
			rows.dropFirst(rows.count - ROW_LIMIT);
		});
	}

	/** The bounds of what is shown, read off the rows. */
	#bound() {
		this.from = rows.first?.start ?? this.from;
		this.#to = rows.last?.end ?? this.#to;
		scroll.endsHere = this.isAtTail;
	}
}

export const view = new RoomView();
