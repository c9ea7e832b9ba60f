import { byId } from './dom.js';

/**
 * @typedef {import('./line.js').Line} Line
 * @typedef {{ title: string, log: import('./log.js').RoomLog, rows: import('./rows.js').RowList,
 *   view: import('./view.js').RoomView, scroll: import('./scroll.js').Scroll,
 *   saved: (end: number) => void }} Parts
 */

/**
 * What of the room has been read: the divider where reading stopped, the button that says what came
 * since, and the count in the title.
 */
export class Unread {
  #parts;
  #button = byId('latest', HTMLButtonElement);
  #back = byId('back', HTMLButtonElement);
  #count = 0;
  /** @type {number | undefined} */
  #readTo;

  /**
   * @param {Parts} parts
   * @param {number | undefined} readTo where reading stopped the last time
   */
  constructor(parts, readTo) {
    this.#parts = parts;
    this.#readTo = readTo;
    this.#button.addEventListener('click', () => this.#goToLatest());
    this.#back.addEventListener('click', () => {
      this.#back.hidden = true;
      location.hash = `#${this.#parts.rows.dividerAt}`;
    });
    parts.scroll.addEventListener('move', () => this.look());
    document.addEventListener('visibilitychange', () => {
      // What was new is no longer so once one has looked away from it.
      if (document.hidden && this.#count === 0) parts.rows.divide(undefined);
      this.look();
    });
  }

  /** The room was opened for the first time. */
  open() {
    const { log, rows, view } = this.#parts;
    const readTo = this.#readTo ?? log.cursor.offset;
    if (readTo > 0 && readTo < log.cursor.offset) {
      rows.divide(readTo);
      this.#back.hidden = readTo >= view.from;
    }
    this.look();
  }

  /** @param {Line[]} lines that others wrote */
  add(lines) {
    const [first] = lines;
    if (!first || this.#isSeen()) return this.look();
    if (this.#count === 0) this.#parts.rows.divide(first.start);
    this.#count += lines.length;
    this.look();
  }

  /** Looks whether the reader sees the end of the room. */
  look() {
    const { log, scroll, view, saved, title } = this.#parts;
    if (!log.isOpen) return;
    if (this.#isSeen()) {
      this.#count = 0;
      saved(log.cursor.offset);
    }
    const isAway = !scroll.isStuck || !view.isAtTail;
    this.#button.hidden = !isAway;
    this.#button.textContent = this.#count ? `${this.#count} new` : 'Latest';
    this.#button.classList.toggle('news', this.#count > 0);
    document.title = this.#count ? `(${this.#count}) ${title}` : title;
  }

  #isSeen() {
    const { scroll, view } = this.#parts;
    return !document.hidden && scroll.isStuck && view.isAtTail;
  }

  async #goToLatest() {
    const { log, scroll, view } = this.#parts;
    if (!view.isAtTail) await log.openTail().catch(() => {});
    scroll.toBottom();
    this.look();
  }
}
