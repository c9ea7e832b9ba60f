import { byId } from '../lib/dom.js';
import { includesOffset } from '../model/line.js';
import { groupRow, makeRow } from './row.js';

/**
 * @import { Line } from '../model/line.js'
 * @import { Row } from './row.js'
 */

/** The rows in the document: consecutive lines, the oldest first. */
class RowList {
	#element = byId('rows');
	/** @type {Row[]} */
	#rows = [];
	/** The offset of the first line that is new to the reader. @type {number | undefined} */
	#newFrom;
	/** A last line that lacks its LF, shown until the room goes on. @type {Row | undefined} */
	unterminated;

	get count() {
		return this.#rows.length;
	}

	get first() {
		return this.#rows[0]?.line;
	}

	get last() {
		return this.#rows.at(-1)?.line;
	}

	/** Shows these lines and no others. @param {Line[]} lines */
	show(lines) {
		this.#rows = [];
		this.#element.replaceChildren();
		this.append(lines);
	}

	/** @param {Line[]} lines those after the last */
	append(lines) {
		this.showUnterminated();
		const added = lines.map(makeRow);
		const { count } = this;
		this.#rows.push(...added);
		this.#group(count, this.count);
		this.#element.append(...added.map((row) => row.element));
	}

	/** @param {Line[]} lines those before the first */
	prepend(lines) {
		const added = lines.map(makeRow);
		this.#rows.unshift(...added);
		// What follows may have no date of its own, and takes that of a row above.
		const dated = this.#rows.findIndex(({ date }, index) => date && index >= added.length);
		this.#group(0, dated < 0 ? this.count : dated + 1);
		this.#element.prepend(...added.map((row) => row.element));
	}

	/** @param {number} count none where it is negative */
	dropFirst(count) {
		for (const row of this.#rows.splice(0, Math.max(0, count))) row.element.remove();
		this.#group(0, 1);
	}

	/** @param {number} count none where it is negative */
	dropLast(count) {
		this.showUnterminated();
		for (const row of this.#rows.splice(this.count - Math.max(0, count))) row.element.remove();
	}

	/** Shows a last line without LF, or none. @param {Line} [line] */
	showUnterminated(line) {
		this.unterminated?.element.remove();
		this.unterminated = line && makeRow(line);
		if (!this.unterminated) return;
		groupRow(this.unterminated, this.#rows.at(-1), false);
		this.#element.append(this.unterminated.element);
	}

	/** The row of the line that has the byte at an offset. @param {number} offset */
	find(offset) {
		return this.#rows.find(({ line }) => includesOffset(line, offset));
	}

	/** Shows the divider above the first new line, or takes it away. @param {number} [offset] */
	divide(offset) {
		this.#newFrom = offset;
		this.#element.querySelector('.divider')?.remove();
		const index = this.#rows.findIndex(({ line }) => line.start === offset);
		if (index >= 0) this.#group(index, index + 1);
	}

	/** Makes every row anew: the reader's name or the server's zone has changed. */
	rebuild() {
		this.show(this.#rows.map((row) => row.line));
	}

	/** @param {number} from an index @param {number} to the index after the last */
	#group(from, to) {
		for (const [index, row] of this.#rows.slice(from, to).entries()) {
			groupRow(row, this.#rows[from + index - 1], row.line.start === this.#newFrom);
		}
	}
}

export const rows = new RowList();
