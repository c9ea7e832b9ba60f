import { pagePath } from './address.js';
import { make } from './dom.js';
import { hueOf, parseLine } from './line.js';
import { mentionOf, renderMessage } from './text.js';

/**
 * @typedef {import('./line.js').Line} Line
 * @typedef {{ line: Line, element: HTMLElement, name: string, date: Date | undefined,
 *   lastDate: Date | undefined }} Row
 */

/** Lines of one person no further apart than this stand under one name. */
const GROUP_MS = 5 * 60_000;

/** Makes the rows of a room: what a line looks like beside the one before it. */
export class RowMaker {
  #room;
  #clock;
  #name;

  /**
   * @param {string} room
   * @param {import('./clock.js').Clock} clock
   * @param {() => string} name the reader's own
   */
  constructor(room, clock, name) {
    this.#room = room;
    this.#clock = clock;
    this.#name = name;
  }

  /**
   * @param {Line} line
   * @returns {Row}
   */
  make(line) {
    const { time, name, message } = parseLine(line.text);
    const date = time ? this.#clock.toDate(time) : undefined;
    const link = make('a', { class: 'time', href: pagePath(this.#room, line.start) });
    link.tabIndex = -1;
    link.append(date ? this.#timeOf(date, time) : '#');
    const element = this.#rowOf(name, message, link);
    element.id = `at-${line.start}`;
    return { line, element, name, date, lastDate: date };
  }

  /**
   * A message that is not in the room yet.
   * @param {string} name
   * @param {string} message
   * @param {HTMLElement} note what is becoming of it
   */
  makePending(name, message, note) {
    const element = this.#rowOf(name, message, note);
    element.classList.add('head');
    return element;
  }

  /**
   * Gives a row its name, and its day, where they differ from the row before.
   * @param {Row} row
   * @param {Row | undefined} previous
   * @param {boolean} isFirstNew reading stopped before it
   */
  join(row, previous, isFirstNew) {
    const { element, name, date } = row;
    // A line that nobody's server wrote has no date and stands under the one before.
    row.lastDate = date ?? previous?.lastDate;
    const before = previous?.lastDate;
    const day = date && this.#clock.formatDay(date);
    const isNewDay = day && day !== (before && this.#clock.formatDay(before));
    const gap = (date?.valueOf() ?? 0) - (before?.valueOf() ?? 0);
    const isOther = name !== '' && (previous?.name !== name || gap > GROUP_MS);
    element.classList.toggle('head', isOther || Boolean(isNewDay) || isFirstNew);
    for (const rule of element.querySelectorAll('.rule')) rule.remove();
    if (isFirstNew)
      element.prepend(make('div', { class: 'rule divider' }, make('span', {}, 'New')));
    if (isNewDay) element.prepend(make('div', { class: 'rule' }, make('span', {}, day)));
  }

  /** @param {Date} date @param {string} stored */
  #timeOf(date, stored) {
    const attributes = { datetime: date.toISOString(), title: `${stored} as stored` };
    return make('time', attributes, this.#clock.formatTime(date));
  }

  /**
   * @param {string} name
   * @param {string} message
   * @param {HTMLElement} aside
   */
  #rowOf(name, message, aside) {
    const mention = name === this.#name() ? undefined : mentionOf(this.#name());
    const text = make('div', { class: 'text', dir: 'auto' }, renderMessage(message, mention));
    const initial = make('span', { class: 'disc', 'aria-hidden': 'true' }, initialOf(name));
    const label = make('bdi', { class: 'name' }, name);
    const element = make('div', { class: 'row' }, initial, label, aside, text);
    if (!name) element.classList.add('bare');
    if (text.querySelector('mark')) element.classList.add('mentions');
    element.style.setProperty('--hue', String(hueOf(name)));
    return element;
  }
}

/** @param {string} name */
function initialOf(name) {
  const [first] = new Intl.Segmenter().segment(name);
  return first?.segment.toLocaleUpperCase() ?? '';
}
