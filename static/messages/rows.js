import { byId } from '../lib/dom.js';
import { joinRow, makeRow } from './row.js';

/** @import { Line } from '../model/line.js' */
/** @import { Row } from './row.js' */

/** The rows in the document: one run of consecutive lines, oldest first. */
class RowList {
	#place = byId('rows');
	/** @type {Row[]} */
	#rows = [];
	/** A last line that lacks its LF, shown until the room goes on. @type {Row | undefined} */
	stump;
	/** Where reading stopped. @type {number | undefined} */
	dividerAt;

	get count() {
		return this.#rows.length;
	}

	get first() {
		return this.#rows[0]?.line;
	}

	get last() {
		return this.#rows.at(-1)?.line;
	}

	/** @param {Line[]} lines these and no others */
	show(lines) {
		this.#rows = [];
		this.#place.replaceChildren();
		this.append(lines);
	}

	/** @param {Line[]} lines those after the last */
	append(lines) {
		this.showStump();
		const added = lines.map(makeRow);
		const { count } = this;
		this.#rows.push(...added);
		this.#join(count, this.count);
		this.#place.append(...added.map((row) => row.element));
	}

	/** @param {Line[]} lines those before the first */
	prepend(lines) {
		const added = lines.map(makeRow);
		this.#rows.unshift(...added);
		this.#join(0, added.length + 1);
		this.#place.prepend(...added.map((row) => row.element));
	}

	/** @param {number} count if more than none */
	dropFirst(count) {
		for (const row of this.#rows.splice(0, Math.max(0, count))) row.element.remove();
		this.#join(0, 1);
	}

	/** @param {number} count if more than none */
	dropLast(count) {
		this.showStump();
		for (const row of this.#rows.splice(this.count - Math.max(0, count))) row.element.remove();
	}

	/** @param {Line} [line] */
	showStump(line) {
		this.stump?.element.remove();
		this.stump = line && makeRow(line);
		if (!this.stump) return;
		joinRow(this.stump, this.#rows.at(-1), false);
		this.#place.append(this.stump.element);
	}

	/** The row of the line that a byte belongs to. @param {number} offset */
	find(offset) {
		return this.#rows.find(({ line }) => line.start <= offset && offset < line.end);
	}

	/** Says "new" above the line at an offset, or nowhere. @param {number} [offset] */
	divide(offset) {
		this.dividerAt = offset;
		this.#place.querySelector('.divider')?.remove();
		const index = this.#rows.findIndex(({ line }) => line.start === offset);
		if (index >= 0) this.#join(index, index + 1);
	}

	/** Makes every row anew: the reader's name or the clock has changed. */
	rebuild() {
		this.show(this.#rows.map((row) => row.line));
	}

	/** @param {number} from @param {number} to */
	#join(from, to) {
		for (const [index, row] of this.#rows.slice(from, to).entries()) {
			joinRow(row, this.#rows[from + index - 1], row.line.start === this.dividerAt);
		}
	}
}

export const rows = new RowList();
