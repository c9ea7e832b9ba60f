import { byId, make, on, onSubmit } from '../lib/dom.js';
import { appendPlain } from '../messages/text.js';
import { parseLine } from '../model/line.js';
import { findWords, fold } from '../model/search.js';
import { RANGE_BYTES, reader } from '../net/reader.js';
import { log } from '../sync/log.js';

/** It asks for more at once the faster the answers come. */
const MAX_BYTES = 1_048_576;
const FAST_MS = 500;
/** The most hits that are shown: the last ones. */
const HIT_LIMIT = 500;

/** Finds words in the whole room: it reads from the end to the beginning, and keeps only the hits. */
class Finder {
	#panel = byId('finder');
	#input = byId('words', HTMLInputElement);
	#progress = byId('find-progress', HTMLProgressElement);
	#summary = byId('find-summary');
	#hits = byId('hits');
	#toggle = byId('find-toggle');
	#running = new AbortController();

	constructor() {
		on(this.#toggle, 'click', () => this.#open(Boolean(this.#panel.hidden)));
		on(byId('find-close'), 'click', () => this.#open(false));
		onSubmit('find', () => this.#submit());
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
		this.#running.abort();
		this.#toggle.focus();
	}

	#submit() {
		this.#running.abort();
		this.#running = new AbortController();
		const words = fold(this.#input.value).trim();
		this.#hits.replaceChildren();
		this.#summary.textContent = '';
		if (words) void this.#search(words, this.#running.signal);
	}

	/** @param {string} words @param {AbortSignal} signal */
	async #search(words, signal) {
		const size = log.cursor.offset;
		let end = size;
		let count = 0;
		let bytes = RANGE_BYTES;
		this.#progress.hidden = false;
		try {
			while (end > 0 && count < HIT_LIMIT) {
				const askedAt = performance.now();
				const range = await reader.readBefore(end, bytes, signal);
				const isFast = performance.now() - askedAt < FAST_MS;
				bytes = isFast ? Math.min(2 * bytes, MAX_BYTES) : RANGE_BYTES;
				const hits = range.lines.filter(({ text }) => fold(text).includes(words)).reverse();
				this.#hits.append(
					...hits.slice(0, HIT_LIMIT - count).map((line) => renderHit(line, words)),
				);
				count += hits.length;
				end = range.start;
				this.#progress.value = 1 - end / size;
				this.#summary.textContent = `${count} so far…`;
			}
			const found = count === 1 ? '1 message' : `${count || 'No'} messages`;
			this.#summary.textContent = count < HIT_LIMIT ? found : `The last ${HIT_LIMIT} messages`;
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
	const from = Math.max(0, (findWords(message, words)[0]?.start ?? 0) - 60);
	const excerpt = message.slice(from, from + 240).replaceAll('↵', ' ');
	const head = make('span', {}, make('b', { dir: 'auto' }, name), ' ', make('time', {}, time));
	const body = make('span', { class: 'excerpt', dir: 'auto' }, from ? '…' : '');
	// A link in a link leads nobody knows where.
	appendPlain(body, excerpt, (part) => findWords(part, words));
	return make('li', {}, make('a', { href: `#${start}` }, head, body));
}

new Finder();
