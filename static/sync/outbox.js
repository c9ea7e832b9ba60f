import { byId, make, on, pause, toast } from '../lib/dom.js';
import { tabMemory } from '../lib/storage.js';
import { makeElement } from '../messages/row.js';
import { parseCursor, room, textPath } from '../model/address.js';
import { cleanMessage, parseLine } from '../model/line.js';
import { Refusal, reader } from '../net/reader.js';
import { servers } from '../panels/servers.js';
import { connection } from './connection.js';
import { log } from './log.js';

/**
 * @import { Line } from '../model/line.js'
 * @typedef {'waiting' | 'sending' | 'sent' | 'unsure' | 'failed'} State
 * @typedef {{ name: string, message: string, state: State, reason: string,
 *   since: import('../model/address.js').Cursor }} Entry
 *   `since`: where the room ended when it was sent; its line can only be behind that
 */

const TIMEOUT_MS = 20_000;
/** When it looks for a message whose answer was lost. */
const LOOKS_MS = [0, 800, 2_000];
/** @type {Partial<Record<State, string>>} */
const NOTES = { waiting: 'waiting…', sending: 'sending…', unsure: 'did it arrive? looking…' };

/**
 * The messages on their way, until their lines arrive. Where an answer is lost, the room itself
 * tells whether the message is in it, before it can be sent again.
 */
class Outbox {
	#key = `outbox.${room}`;
	/** @type {Entry[]} */
	#entries = tabMemory.get(this.#key, []);
	#isSending = false;
	/** Takes a message that is to be edited. @param {string} _message */
	takeBack = (_message) => {};

	constructor() {
		// They outlive a reload, not their tab.
		on(window, 'beforeunload', (event) => {
			if (this.#entries.some(({ state }) => /waiting|unsure/.test(state))) event.preventDefault();
		});
	}

	/** @param {string} name @param {string} message */
	add(name, message) {
		this.#entries.push({ name, message, state: 'waiting', since: log.cursor, reason: '' });
		void this.#send();
	}

	/** Lets go of the messages whose lines have arrived. @param {Line[]} lines */
	settle(lines) {
		for (const line of this.#entries.length ? lines : []) {
			const { name, message } = parseLine(line.text);
			const entry = this.#entries
				.filter(({ state, since }) => state !== 'waiting' && since.offset <= line.start)
				.find((sent) => sent.name === name && cleanMessage(sent.message) === message);
			if (entry) this.#remove(entry);
		}
	}

	/** Looks for the messages that were on their way when the page was left. */
	async restore() {
		this.#show();
		for (const entry of [...this.#entries]) {
			entry.reason ||= 'The page was reloaded before it was sent.';
			if (entry.state !== 'waiting') await this.#look(entry);
			this.#turn(entry, 'failed');
		}
	}

	/** One after the other, so that they keep their order. */
	async #send() {
		this.#show();
		if (this.#isSending) return;
		this.#isSending = true;
		for (;;) {
			const entry = this.#entries.find(({ state }) => state === 'waiting');
			if (!entry) break;
			await this.#post(entry);
		}
		this.#isSending = false;
	}

	/** @param {Entry} entry */
	async #post(entry) {
		while (!log.isOpen || connection.status.state === 'offline') await pause(300);
		entry.since = log.cursor;
		this.#turn(entry, 'sending');
		try {
			const answer = await fetch(textPath(), {
				method: 'POST',
				body: new URLSearchParams({ username: entry.name, message: entry.message }),
				signal: AbortSignal.timeout(TIMEOUT_MS),
			});
			servers.note('post', answer.headers.get('chat-server'));
			if (answer.status === 201) return await this.#confirm(entry, answer);
			const refusal = await Refusal.of(answer);
			entry.reason = refusal.message;
			// That stores nothing. A 5xx may come from a proxy that doesn't know, and Chromium makes a
			// 200 of an answer that broke off after an interim one.
			if (refusal.status >= 400 && refusal.status < 500) return this.#turn(entry, 'failed');
		} catch {
			entry.reason = 'No answer came, and the room doesn’t have it.';
		}
		this.#turn(entry, 'unsure');
		for (const waitMs of LOOKS_MS) {
			await pause(waitMs);
			await this.#look(entry);
			if (!this.#entries.includes(entry)) return;
		}
		this.#turn(entry, 'failed');
	}

	/** @param {Entry} entry @param {Response} answer */
	async #confirm(entry, answer) {
		const text = (await answer.text()).replace(/\r?\n$/, '');
		const cursor = parseCursor(answer.headers.get('chat-cursor'));
		this.#turn(entry, 'sent');
		const sizeBytes = new TextEncoder().encode(text).length + 1;
		if (cursor) {
			const { epoch, offset: end } = cursor;
			log.receive(epoch, { start: end - sizeBytes, end, text });
		}
		// Its line shows up in a moment. However that goes, it is stored.
		await pause(300);
		if (this.#entries.includes(entry)) await log.catchUp().catch(() => {});
		this.#remove(entry);
	}

	/** Reads what is behind the entry's cursor, as soon as that works. @param {Entry} entry */
	async #look(entry) {
		for (let waitMs = 1_000; this.#entries.includes(entry); waitMs = Math.min(8_000, waitMs * 2)) {
			try {
				await log.catchUp();
				let at = entry.since.epoch === log.cursor.epoch ? entry.since.offset : 0;
				while (at < log.cursor.offset && this.#entries.includes(entry)) {
					const page = await reader.after(at);
					this.settle(page.lines);
					if (page.end === at) return;
					at = page.end;
				}
				return;
			} catch {
				await pause(waitMs);
			}
		}
	}

	/** @param {Entry} entry @param {State} state */
	#turn(entry, state) {
		entry.state = state;
		if (state === 'failed') toast(`Not sent. ${entry.reason}`);
		this.#show();
	}

	/** @param {Entry} entry */
	#remove(entry) {
		this.#entries = this.#entries.filter((other) => other !== entry);
		this.#show();
	}

	#show() {
		tabMemory.set(this.#key, this.#entries);
		byId('pending').replaceChildren(...this.#entries.map((entry) => this.#render(entry)));
	}

	/** @param {Entry} entry */
	#render(entry) {
		const { state, name, message, reason } = entry;
		const note = make('span', { class: 'note' }, NOTES[state] ?? '');
		const add = (/** @type {string} */ label, /** @type {() => void} */ act) => {
			const button = make('button', { type: 'button', class: 'plain' }, label);
			on(button, 'click', act);
			note.append(button);
		};
		if (state === 'failed') {
			note.append(make('span', { class: 'reason', dir: 'auto' }, `Not sent. ${reason} `));
			add('Send again', () => {
				this.#turn(entry, 'waiting');
				void this.#send();
			});
			add('Edit', () => {
				this.#remove(entry);
				this.takeBack(message);
			});
			add('Discard', () => this.#remove(entry));
		}
		const row = makeElement(name, cleanMessage(message), note);
		row.classList.add('head', 'pending', state);
		return row;
	}
}

export const outbox = new Outbox();
