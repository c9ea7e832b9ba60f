import { byId, make, on, onSubmit } from '../lib/dom.js';
import { markerOf, renderMessage } from '../messages/text.js';
import { parseLine } from '../model/line.js';
import { reader } from '../net/reader.js';
import { log } from '../sync/log.js';

const PIECE_BYTES = 1_048_576;
/** At most so many are shown, the last ones. */
const HITS = 500;

/** Finds words in the whole room, from its end to its beginning, without keeping it in memory. */
class Finder {
	#panel = byId('finder');
	#input = byId('words', HTMLInputElement);
	#progress = byId('find-progress', HTMLProgressElement);
	#summary = byId('find-summary');
	#hits = byId('hits');
	#toggle = byId('find-toggle');
	#search = new AbortController();

	constructor() {
		on(this.#toggle, 'click', () => this.#open(Boolean(this.#panel.hidden)));
		on(byId('find-close'), 'click', () => this.#open(false));
		onSubmit('find', () => this.#start());
		on(document, 'keydown', (event) => {
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
		if (words) void this.#run(words, this.#search.signal);
	}

	/** @param {string} words @param {AbortSignal} signal */
	async #run(words, signal) {
		const size = log.cursor.offset;
		let at = size;
		let count = 0;
		this.#progress.hidden = false;
		try {
			while (at > 0 && count < HITS) {
				const page = await reader.before(at, PIECE_BYTES, signal);
				const hits = page.lines.filter(({ text }) => text.toLowerCase().includes(words)).reverse();
				this.#hits.append(...hits.slice(0, HITS - count).map((line) => renderHit(line, words)));
				count += hits.length;
				at = page.start;
				this.#progress.value = 1 - at / size;
				this.#summary.textContent = `${count} so far…`;
			}
			const found = count === 1 ? '1 message' : `${count || 'No'} messages`;
			this.#summary.textContent = count < HITS ? found : `The last ${HITS} messages`;
		} catch (error) {
			if (signal.aborted) return;
			this.#summary.textContent = `The search stopped: ${Object(error).message}`;
		}
		this.#progress.hidden = true;
	}
}

/** @param {import('../model/line.js').Line} line @param {string} words */
function renderHit({ start, text }, words) {
	const { time, name, message } = parseLine(text);
	const from = Math.max(0, message.toLowerCase().indexOf(words) - 60);
	const excerpt = message.slice(from, from + 240).replaceAll('↵', ' ');
	const head = make('span', {}, make('b', { dir: 'auto' }, name), ' ', make('time', {}, time));
	const body = make('span', { class: 'excerpt', dir: 'auto' }, from ? '…' : '');
	body.append(renderMessage(excerpt, markerOf(words, false)));
	return make('li', {}, make('a', { href: `#${start}` }, head, body));
}

export const finder = new Finder();
