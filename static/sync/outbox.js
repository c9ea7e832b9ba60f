import { on } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { tabStore } from '../lib/storage.js';
import { pause } from '../lib/time.js';
import { cleanMessage, parseLine } from '../model/line.js';
import { room } from '../model/room.js';
import { Refusal } from '../net/answer.js';
import { postMessage } from '../net/post.js';
import { reader } from '../net/reader.js';
import { connection } from './connection.js';
import { log } from './log.js';

/**
 * @import { Cursor } from '../model/cursor.js'
 * @import { Line } from '../model/line.js'
 * @import { Receipt } from '../net/post.js'
 * @typedef {'queued' | 'sending' | 'stored' | 'unsure' | 'failed'} State
 *   `unsure`: it was sent, and no answer says whether it is stored; `failed`: it is not stored
 * @typedef {{ name: string, message: string, state: State, reason: string, since: Cursor }} Entry
 *   `reason`: why it failed; `since`: where the room ended when it was sent, so that its line can
 *   only be behind that
 */

/** The waits before each reading of the room for a message whose answer was lost. */
const CHECKS_MS = [0, 800, 2_000];

/**
 * The reader's messages from the moment they are written until their lines are in the log. They
 * outlive a reload, not their tab. `change`; `failed` (Entry).
 */
class Outbox extends Emitter {
	#key = `outbox.${room}`;
	#isSending = false;
	/** @type {Entry[]} */
	entries = tabStore.get(this.#key, []);

	constructor() {
		super();
		on(log, 'lines', ({ detail }) => this.#removeStored(detail.lines));
		on(window, 'beforeunload', (event) => {
			if (this.entries.some(({ state }) => /queued|unsure/.test(state))) event.preventDefault();
		});
	}

	/** @param {string} name @param {string} message */
	add(name, message) {
		this.entries.push({ name, message, state: 'queued', since: log.cursor, reason: '' });
		void this.#sendAll();
	}

	/** @param {Entry} entry one that failed */
	sendAgain(entry) {
		entry.state = 'queued';
		void this.#sendAll();
	}

	/** @param {Entry} entry */
	remove(entry) {
		this.entries = this.entries.filter((other) => other !== entry);
		this.#emitChange();
	}

	/** Takes up the messages that were on their way when the page was left. */
	async restore() {
		this.#emitChange();
		for (const entry of [...this.entries]) {
			entry.reason ||= 'The page was reloaded before it was sent.';
			if (entry.state !== 'queued') await this.#findInRoom(entry);
			this.#setState(entry, 'failed');
		}
	}

	/** Removes the messages whose lines these are. @param {Line[]} lines */
	#removeStored(lines) {
		for (const line of this.entries.length ? lines : []) {
			const { name, message } = parseLine(line.text);
			const entry = this.entries
				.filter(({ state, since }) => state !== 'queued' && since.offset <= line.start)
				.find((sent) => sent.name === name && cleanMessage(sent.message) === message);
			if (entry) this.remove(entry);
		}
	}

	/** Sends one after the other, so that they keep their order. */
	async #sendAll() {
		this.#emitChange();
		if (this.#isSending) return;
		this.#isSending = true;
		for (;;) {
			const entry = this.entries.find(({ state }) => state === 'queued');
			if (!entry) break;
			await this.#send(entry);
		}
		this.#isSending = false;
	}

	/** @param {Entry} entry */
	async #send(entry) {
		while (!log.isOpen || connection.status.state === 'offline') await pause(300);
		entry.since = log.cursor;
		this.#setState(entry, 'sending');
		try {
			const receipt = await postMessage(entry.name, entry.message);
			this.#setState(entry, 'stored');
			return await this.#takeReceipt(entry, receipt);
		} catch (error) {
			const isRefusal = error instanceof Refusal;
			entry.reason = isRefusal ? error.message : 'No answer came, and the room doesn’t have it.';
			// A refusal by 4xx stores nothing. A 5xx may come from a proxy, which doesn't know.
			if (isRefusal && error.status >= 400 && error.status < 500) {
				return this.#setState(entry, 'failed');
			}
		}
		await this.#decideToSendAgain(entry);
	}

	/** @param {Entry} entry @param {Receipt | undefined} receipt */
	async #takeReceipt(entry, receipt) {
		if (receipt) log.receive(receipt.epoch, receipt.line);
		// The log removes it in a moment. However that goes, it is stored.
		await pause(300);
		if (this.entries.includes(entry)) await log.catchUp().catch(() => {});
		this.remove(entry);
	}

	/**
	 * Decides whether the page offers to send a message again whose answer was lost. The rule: only
	 * when the room has been read and doesn't have the message. Until then it is `unsure`.
	 * @param {Entry} entry
	 */
	async #decideToSendAgain(entry) {
		this.#setState(entry, 'unsure');
		for (const waitMs of CHECKS_MS) {
			await pause(waitMs);
			await this.#findInRoom(entry);
			if (!this.entries.includes(entry)) return;
		}
		this.#setState(entry, 'failed');
	}

	/** Reads what is behind the entry's cursor, as soon as that works. @param {Entry} entry */
	async #findInRoom(entry) {
		for (let waitMs = 1_000; this.entries.includes(entry); waitMs = Math.min(8_000, waitMs * 2)) {
			try {
				await log.catchUp();
				let offset = entry.since.epoch === log.cursor.epoch ? entry.since.offset : 0;
				while (offset < log.cursor.offset && this.entries.includes(entry)) {
					const range = await reader.readAfter(offset);
					this.#removeStored(range.lines);
					if (range.end === offset) return;
					offset = range.end;
				}
				return;
			} catch {
				await pause(waitMs);
			}
		}
	}

	/** @param {Entry} entry @param {State} state */
	#setState(entry, state) {
		entry.state = state;
		this.#emitChange();
		if (state === 'failed' && this.entries.includes(entry)) this.emit('failed', entry);
	}

	#emitChange() {
		tabStore.set(this.#key, this.entries);
		this.emit('change');
	}
}

/** The outbox of this tab and room. */
export const outbox = new Outbox();
