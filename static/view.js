/**
 * @typedef {import('./line.js').Line} Line
 * @typedef {{ reader: import('./reader.js').RoomReader, rows: import('./rows.js').RowList,
 *   scroll: import('./scroll.js').Scroll, changed: () => void }} Parts
 *   `changed` is called when other lines are shown than before
 */

/** At most this many rows are in the document. */
const ROW_LIMIT = 2000;
/** Rows that paging adds at a time. */
const PAGE_ROWS = 500;

/**
 * The window on the room: the lines from byte `from` to byte `to` are shown, and scrolling to
 * either end pages in more on that side and lets go of as many on the other.
 */
export class RoomView {
  #parts;
  #from = 0;
  #to = 0;
  #generation = 0;
  #isPaging = false;
  /** Where the known text of the room ends. */
  end = 0;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
    parts.scroll.addEventListener('move', () => this.#page());
  }

  /** The offset at which the shown lines begin. */
  get from() {
    return this.#from;
  }

  /** Whether the shown lines reach to the room's end. */
  get isAtTail() {
    return this.#to === this.end;
  }

  /**
   * Shows the last of some lines, or those around one of them.
   * @param {import('./reader.js').Page} page
   * @param {number} [offset] of the one in the middle
   */
  show(page, offset) {
    this.#generation += 1;
    const middle = page.lines.findIndex((line) => line.start === offset);
    const first = offset === undefined ? -2 * PAGE_ROWS : Math.max(0, middle - PAGE_ROWS);
    const last = offset === undefined ? undefined : middle + PAGE_ROWS;
    this.#from = this.#to = page.end;
    this.#parts.rows.show(page.lines.slice(first, last));
    this.#bound();
    this.#parts.rows.showStump(this.isAtTail ? page.stump : undefined);
    this.#parts.changed();
  }

  /** @param {Line[]} lines those with which the room goes on where the shown ones end */
  append(lines) {
    const { rows, scroll } = this.#parts;
    // One who reads further up keeps what they read: the rest is paged in as they come down.
    if (rows.count + lines.length > ROW_LIMIT && !scroll.isStuck) return;
    rows.append(lines.slice(-ROW_LIMIT));
    rows.dropFirst(rows.count - ROW_LIMIT);
    this.#bound();
    if (scroll.isStuck) scroll.toBottom();
  }

  /** Pages in what the reader is about to scroll to. */
  async #page() {
    const { scroll } = this.#parts;
    if (this.#isPaging) return;
    this.#isPaging = true;
    try {
      if (scroll.isNearTop && this.#from > 0) await this.#older();
      else if (scroll.isNearBottom && !this.isAtTail) await this.#newer();
    } catch {
      // The next scrolling tries again; the connection's state says what is wrong.
    } finally {
      this.#isPaging = false;
    }
  }

  async #older() {
    const { reader, rows, scroll } = this.#parts;
    const generation = this.#generation;
    const lines = (await reader.before(this.#from)).lines.slice(-PAGE_ROWS);
    if (generation !== this.#generation || lines.at(-1)?.end !== this.#from) return;
    scroll.preserve(() => {
      rows.prepend(lines);
      rows.dropLast(rows.count - ROW_LIMIT);
    });
    this.#bound();
    this.#parts.changed();
  }

  async #newer() {
    const { reader, rows, scroll } = this.#parts;
    const generation = this.#generation;
    const page = await reader.after(this.#to, 65_536);
    const lines = page.lines.filter((line) => line.end <= this.end).slice(0, PAGE_ROWS);
    if (generation !== this.#generation || lines[0]?.start !== this.#to) return;
    scroll.preserve(() => {
      rows.append(lines);
      rows.dropFirst(rows.count - ROW_LIMIT);
    });
    this.#bound();
    this.#parts.changed();
  }

  /** The bounds of what is shown, read off the rows. */
  #bound() {
    const { first, last } = this.#parts.rows;
    this.#from = first?.start ?? this.#from;
    this.#to = last?.end ?? this.#to;
    this.#parts.scroll.endsHere = this.isAtTail;
  }
}
