import { byId, make } from './dom.js';
import { parseLine } from './line.js';

/** @typedef {import('./line.js').Line} Line */

/** Read at a time, in bytes. */
const PIECE_BYTES = 1_048_576;
/** Hits shown before it asks whether to go on. */
const HITS = 100;

/** Finds words in the whole room, from its end to its beginning, without keeping it in memory. */
export class Finder {
  #panel = byId('finder', HTMLElement);
  #form = byId('find', HTMLFormElement);
  #input = byId('words', HTMLInputElement);
  #progress = byId('find-progress', HTMLProgressElement);
  #summary = byId('find-summary', HTMLElement);
  #hits = byId('hits', HTMLElement);
  #more = byId('find-more', HTMLButtonElement);
  #toggle = byId('find-toggle', HTMLButtonElement);
  #reader;
  #log;
  #search = new AbortController();

  /**
   * @param {import('./reader.js').RoomReader} reader
   * @param {import('./log.js').RoomLog} log
   */
  constructor(reader, log) {
    this.#reader = reader;
    this.#log = log;
    this.#toggle.addEventListener('click', () => this.#open(Boolean(this.#panel.hidden)));
    byId('find-close', HTMLButtonElement).addEventListener('click', () => this.#open(false));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#start();
    });
    document.addEventListener('keydown', (event) => {
      const isTyping =
        event.target instanceof HTMLElement && event.target.matches('input, textarea');
      if (event.key === 'Escape' && !this.#panel.hidden) this.#open(false);
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#open(true);
    });
  }

  /** @param {boolean} isOpen */
  #open(isOpen) {
    this.#panel.hidden = !isOpen;
    this.#toggle.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) return this.#input.select();
    this.#search.abort();
    this.#toggle.focus();
  }

  #start() {
    this.#search.abort();
    this.#search = new AbortController();
    const words = this.#input.value.trim().toLowerCase();
    this.#hits.replaceChildren();
    if (words) void this.#run(words, this.#log.cursor.offset, 0, this.#search.signal);
  }

  /**
   * @param {string} words
   * @param {number} from searched backwards from here
   * @param {number} found so many before
   * @param {AbortSignal} signal
   */
  async #run(words, from, found, signal) {
    const size = this.#log.cursor.offset;
    let at = from;
    let count = found;
    this.#more.hidden = true;
    this.#progress.hidden = false;
    try {
      while (at > 0 && count < found + HITS) {
        const page = await this.#reader.before(at, PIECE_BYTES, signal);
        const hits = page.lines.filter((line) => line.text.toLowerCase().includes(words));
        hits.reverse();
        const shown = hits.slice(0, found + HITS - count);
        this.#hits.append(...shown.map((line) => this.#render(line, words)));
        count += shown.length;
        at = shown.length < hits.length ? (shown.at(-1)?.start ?? 0) : page.start;
        this.#progress.value = size ? 1 - at / size : 1;
        this.#summary.textContent = `${summaryOf(count)} so far…`;
      }
      this.#summary.textContent = at > 0 ? `The last ${summaryOf(count)}` : summaryOf(count);
      this.#more.hidden = at <= 0;
      this.#more.onclick = () => void this.#run(words, at, count, signal);
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : '';
      this.#summary.textContent = `The search stopped: ${reason}`;
    }
    this.#progress.hidden = true;
  }

  /** @param {Line} line @param {string} words */
  #render(line, words) {
    const { time, name, message } = parseLine(line.text);
    const link = make('a', { href: `#${line.start}` });
    const label = make('bdi', { class: 'name' }, name);
    const head = make('span', { class: 'hit-head' }, label, ' ', make('time', {}, time));
    link.append(
      head,
      make('span', { class: 'excerpt', dir: 'auto' }, ...excerptOf(message, words)),
    );
    return make('li', {}, link);
  }
}

/** @param {number} count */
function summaryOf(count) {
  return count === 1 ? '1 message' : `${count || 'No'} messages`;
}

/**
 * The words, marked, with some text around them.
 * @param {string} message
 * @param {string} words
 */
function excerptOf(message, words) {
  const text = message.replaceAll('↵', ' ');
  const index = text.toLowerCase().indexOf(words);
  if (index < 0) return [text.slice(0, 160)];
  const from = Math.max(0, index - 60);
  const end = index + words.length;
  const before = `${from ? '…' : ''}${text.slice(from, index)}`;
  return [before, make('mark', {}, text.slice(index, end)), text.slice(end, end + 120)];
}
