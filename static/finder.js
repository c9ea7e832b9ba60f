import { byId, make, onSubmit } from './dom.js';
import { parseLine } from './line.js';
import { log } from './log.js';
import { reader } from './reader.js';
import { markerOf, renderMessage } from './text.js';

/** Read at a time. */
const PIECE_BYTES = 1_048_576;
/** Hits shown before it asks whether to go on. */
const HITS = 100;

/** Finds words in the whole room, from its end to its beginning, without keeping it in memory. */
class Finder {
  #panel = byId('finder');
  #input = byId('words', HTMLInputElement);
  #progress = byId('find-progress', HTMLProgressElement);
  #summary = byId('find-summary');
  #hits = byId('hits');
  #more = byId('find-more');
  #toggle = byId('find-toggle');
  #search = new AbortController();

  constructor() {
    this.#toggle.addEventListener('click', () => this.#open(Boolean(this.#panel.hidden)));
    byId('find-close').addEventListener('click', () => this.#open(false));
    onSubmit('find', () => this.#start());
    document.addEventListener('keydown', (event) => {
      const isTyping = event.target instanceof Element && event.target.matches('input, textarea');
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
    if (words) void this.#run(words, log.cursor.offset, 0, this.#search.signal);
  }

  /**
   * @param {string} words
   * @param {number} from searched backwards from here
   * @param {number} found so many before
   * @param {AbortSignal} signal
   */
  async #run(words, from, found, signal) {
    let at = from;
    let count = found;
    this.#more.hidden = true;
    this.#progress.hidden = false;
    try {
      while (at > 0 && count < found + HITS) {
        const page = await reader.before(at, PIECE_BYTES, signal);
        const hits = page.lines.filter(({ text }) => text.toLowerCase().includes(words)).reverse();
        const shown = hits.slice(0, found + HITS - count);
        this.#hits.append(...shown.map((line) => renderHit(line, words)));
        count += shown.length;
        at = shown.length < hits.length ? (shown.at(-1)?.start ?? 0) : page.start;
        this.#progress.value = 1 - at / log.cursor.offset;
        this.#summary.textContent = `${summaryOf(count)} so far…`;
      }
      this.#summary.textContent = at > 0 ? `The last ${summaryOf(count)}` : summaryOf(count);
      this.#more.hidden = at <= 0;
      this.#more.onclick = () => void this.#run(words, at, count, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#summary.textContent = `The search stopped: ${Object(error).message}`;
    }
    this.#progress.hidden = true;
  }
}

/** @param {import('./line.js').Line} line @param {string} words */
function renderHit({ start, text }, words) {
  const { time, name, message } = parseLine(text);
  const from = Math.max(0, message.toLowerCase().indexOf(words) - 60);
  const excerpt = message.slice(from, from + 240).replaceAll('↵', ' ');
  const head = make('span', {}, make('b', { dir: 'auto' }, name), ' ', make('time', {}, time));
  const body = make('span', { class: 'excerpt', dir: 'auto' }, from ? '…' : '');
  body.append(renderMessage(excerpt, markerOf(words, false)));
  return make('li', {}, make('a', { href: `#${start}` }, head, body));
}

/** @param {number} count */
function summaryOf(count) {
  return count === 1 ? '1 message' : `${count || 'No'} messages`;
}

export const finder = new Finder();
