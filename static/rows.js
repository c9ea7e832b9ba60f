/**
 * @typedef {import('./line.js').Line} Line
 * @typedef {import('./row.js').Row} Row
 */

/** The rows in the document: one run of consecutive lines, oldest first. */
export class RowList {
  #place;
  #maker;
  /** @type {Row[]} */
  #rows = [];
  /** @type {Row | undefined} */
  #stump;
  /** @type {number | undefined} */
  #dividerAt;

  /**
   * @param {HTMLElement} place
   * @param {import('./row.js').RowMaker} maker
   */
  constructor(place, maker) {
    this.#place = place;
    this.#maker = maker;
  }

  get count() {
    return this.#rows.length;
  }

  get first() {
    return this.#rows[0]?.line;
  }

  get last() {
    return this.#rows.at(-1)?.line;
  }

  get hasStump() {
    return Boolean(this.#stump);
  }

  /** @param {Line[]} lines these and no others */
  show(lines) {
    this.#rows = [];
    this.#stump = undefined;
    this.#place.replaceChildren();
    this.append(lines);
  }

  /** @param {Line[]} lines those after the last */
  append(lines) {
    this.showStump(undefined);
    const added = lines.map((line) => this.#maker.make(line));
    const joint = this.#rows.length;
    this.#rows.push(...added);
    this.#join(joint, this.#rows.length);
    this.#place.append(...added.map((row) => row.element));
  }

  /** @param {Line[]} lines those before the first */
  prepend(lines) {
    const added = lines.map((line) => this.#maker.make(line));
    this.#rows.unshift(...added);
    this.#join(0, added.length + 1);
    this.#place.prepend(...added.map((row) => row.element));
  }

  /** @param {number} count */
  dropFirst(count) {
    for (const row of this.#rows.splice(0, Math.max(0, count))) row.element.remove();
    this.#join(0, 1);
  }

  /** @param {number} count */
  dropLast(count) {
    this.showStump(undefined);
    const kept = Math.min(this.#rows.length, this.#rows.length - count);
    for (const row of this.#rows.splice(kept)) row.element.remove();
  }

  /**
   * A last line that still lacks its LF: shown until the room goes on.
   * @param {Line | undefined} line
   */
  showStump(line) {
    this.#stump?.element.remove();
    this.#stump = line && this.#maker.make(line);
    if (!this.#stump) return;
    this.#maker.join(this.#stump, this.#rows.at(-1), false);
    this.#place.append(this.#stump.element);
  }

  /**
   * The row of the line that a byte belongs to.
   * @param {number} offset
   */
  find(offset) {
    return this.#rows.find(({ line }) => line.start <= offset && offset < line.end);
  }

  /**
   * Puts the line that says "new from here" above the line at an offset; undefined takes it away.
   * @param {number | undefined} offset
   */
  divide(offset) {
    if (offset === this.#dividerAt) return;
    this.#dividerAt = offset;
    this.#place.querySelector('.divider')?.remove();
    const index = this.#rows.findIndex(({ line }) => line.start === offset);
    if (index >= 0) this.#join(index, index + 1);
  }

  get dividerAt() {
    return this.#dividerAt;
  }

  /** Makes every row anew: the reader's name or the clock changed. */
  rebuild() {
    this.show(this.#rows.map((row) => row.line));
  }

  /** @param {number} from @param {number} to */
  #join(from, to) {
    for (let index = from; index < Math.min(to, this.#rows.length); index += 1) {
      const row = /** @type {Row} */ (this.#rows[index]);
      this.#maker.join(row, this.#rows[index - 1], row.line.start === this.#dividerAt);
    }
  }
}
