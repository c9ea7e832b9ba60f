import { START } from './address.js';

/**
 * @typedef {import('./line.js').Line} Line
 * @typedef {import('./address.js').Cursor} Cursor
 * @typedef {{ reader: import('./reader.js').RoomReader, view: import('./view.js').RoomView,
 *   arrived: (lines: Line[], epoch: string, fromTab: boolean) => void }} Parts
 *   `arrived` tells that the room has new lines
 */

/** Further behind than this, in bytes, the room is opened anew at its tail. */
const FAR_BYTES = 1_048_576;
const BURST_MS = 30;

/**
 * What is known of the room, up to `cursor`. Every line, whether streamed, polled, passed on by
 * another tab or in the answer to a POST, comes through here and counts once, by its byte offsets.
 */
export class RoomLog {
  #parts;
  /** @type {Cursor} */
  #cursor = START;
  #isOpen = false;
  #opening = 0;
  /** @type {{ epoch: string, line: Line, fromTab: boolean }[]} */
  #inbox = [];
  #lastFlush = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #flushing;
  /** @type {Promise<void> | undefined} */
  #catching;
  #again = false;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  get cursor() {
    return this.#cursor;
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** Shows the end of the room. */
  async openTail() {
    this.#opening += 1;
    const opening = this.#opening;
    const page = await this.#parts.reader.tail();
    if (opening === this.#opening) this.#open(page);
  }

  /**
   * Shows the line that a byte belongs to, with its surroundings; the room's end where there is
   * no such line.
   * @param {number} offset
   * @returns {Promise<number | undefined>} where the line begins
   */
  async openAt(offset) {
    this.#opening += 1;
    const opening = this.#opening;
    const page = await this.#parts.reader.around(offset);
    const line = page.lines.find(({ start, end }) => start <= offset && offset < end);
    if (opening !== this.#opening) return undefined;
    if (line) this.#open(page, line.start);
    else await this.openTail();
    return line?.start;
  }

  /**
   * A line that came live, in any order, at any time.
   * @param {string} epoch
   * @param {Line} line
   * @param {boolean} [fromTab] another tab passed it on
   */
  receive(epoch, line, fromTab = false) {
    this.#inbox.push({ epoch, line, fromTab });
    const sinceMs = performance.now() - this.#lastFlush;
    this.#flushing ??= setTimeout(() => this.#flush(), sinceMs > BURST_MS ? 0 : BURST_MS);
  }

  /** Reads what is new, or opens the room where that hasn't worked yet. Rejects if it can't. */
  catchUp() {
    this.#again = true;
    this.#catching ??= this.#readNew().finally(() => {
      this.#catching = undefined;
    });
    return this.#catching;
  }

  async #readNew() {
    while (this.#again) {
      this.#again = false;
      if (!this.#isOpen) {
        await this.openTail();
        continue;
      }
      const news = await this.#parts.reader.poll(this.#cursor.offset);
      if (!news) continue;
      let { page } = news;
      const isFar = this.#parts.view.isAtTail && page.size - this.#cursor.offset > FAR_BYTES;
      if (news.hasMoved || this.#isOther(page.cursor.epoch) || isFar) {
        await this.openTail();
        continue;
      }
      for (;;) {
        this.#accept(page.lines, page.cursor.epoch, false);
        if (this.#cursor.offset >= page.cursor.offset || !page.lines.length) break;
        page = await this.#parts.reader.after(this.#cursor.offset);
      }
    }
  }

  /** Takes what has come; in a burst that is many lines at once. */
  #flush() {
    this.#flushing = undefined;
    this.#lastFlush = performance.now();
    const inbox = this.#inbox.splice(0);
    let isWhole = this.#isOpen;
    while (this.#isOpen && inbox.length) {
      const { epoch, fromTab } = /** @type {typeof inbox[0]} */ (inbox[0]);
      const other = inbox.findIndex((item) => item.epoch !== epoch || item.fromTab !== fromTab);
      const run = inbox.splice(0, other < 0 ? inbox.length : other);
      const lines = run.map((item) => item.line);
      isWhole = this.#accept(lines, epoch, fromTab) && isWhole;
    }
    if (!isWhole) this.catchUp().catch(() => {});
  }

  /**
   * Takes the lines that go on where the known text ends, and none that it has.
   * @param {Line[]} lines
   * @param {string} epoch
   * @param {boolean} fromTab
   * @returns {boolean} false where something is missing before one of them
   */
  #accept(lines, epoch, fromTab) {
    if (this.#isOther(epoch)) return false;
    const { view } = this.#parts;
    const wasAtTail = view.isAtTail;
    /** @type {Line[]} */
    const fresh = [];
    let end = this.#cursor.offset;
    for (const line of lines) {
      if (line.start !== end) continue;
      fresh.push(line);
      end = line.end;
    }
    if (fresh.length) {
      this.#moveTo({ epoch, offset: end });
      if (wasAtTail) view.append(fresh);
      this.#parts.arrived(fresh, epoch, fromTab);
    }
    return lines.every((line) => line.end <= end);
  }

  /**
   * @param {import('./reader.js').Page} page
   * @param {number} [offset]
   */
  #open(page, offset) {
    const { epoch } = page.cursor;
    const known = Math.max(page.end, page.cursor.offset);
    // Lines that came while this was being read have to come again.
    const isBehind = this.#isOpen && !this.#isOther(epoch) && this.#cursor.offset > known;
    this.#moveTo({ epoch, offset: known });
    this.#isOpen = true;
    this.#parts.view.show(page, offset);
    if (isBehind) this.catchUp().catch(() => {});
  }

  /** @param {Cursor} cursor */
  #moveTo(cursor) {
    this.#cursor = cursor;
    this.#parts.view.end = cursor.offset;
  }

  /** @param {string} epoch */
  #isOther(epoch) {
    return epoch !== this.#cursor.epoch && this.#cursor.offset > 0;
  }
}
