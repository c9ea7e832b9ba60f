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
 * @typedef {{ name: string, message: string, state: State, reason: string, since: Cursor,
 *   sentAt: number }} Entry `reason`: why it failed; `since`: where the room ended when it was sent,
 *   so that its line can only be behind that; `sentAt`: when, by `performance.now()`
 */

/** A copy of a message that is not stored so long after it was sent never will be. */
const ARRIVAL_MS = 10_000;
/** The wait between two readings of the room for a message whose answer was lost. */
const CHECK_MS = 1_000;

/**
 * The reader's messages from the moment they are written until their lines are in the log. They
 * outlive a reload, not their tab. `change`; `failed` (Entry).
 */
class Outbox extends Emitter {
	#key = `outbox.${room}`;
	#isSending = false;
	/** @type {Entry[]} */
	entries = this.#load();

	constructor() {
		super();
		on(log, 'lines', ({ detail }) => this.#removeStored(detail.lines));
		log.addEventListener('open', () => this.#restore(), { once: true });
		on(window, 'beforeunload', (event) => {
			if (this.entries.some(({ state }) => /queued|unsure/.test(state))) event.preventDefault();
		});
	}

	/** @param {string} name @param {string} message */
	add(name, message) {
		const since = log.cursor;
		this.entries.push({ name, message, state: 'queued', reason: '', since, sentAt: 0 });
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

	/**
	 * Loads what a page before this one left. What it was sending may be stored or not.
	 * @returns {Entry[]}
	 */
	#load() {
		/** @type {Entry[]} */
		const entries = tabStore.get(this.#key, []);
		const left = entries.filter(({ state }) => state !== 'stored');
		for (const entry of left) {
			entry.sentAt = performance.now();
			if (entry.state === 'sending') entry.state = 'unsure';
			if (entry.state === 'unsure') entry.reason = 'The page was reloaded while it was being sent.';
			if (entry.state !== 'queued') continue;
			entry.state = 'failed';
			entry.reason = 'The page was reloaded before it was sent.';
		}
		return left;
	}

	/** Finds out what became of the messages that a page before this one sent. */
	async #restore() {
		for (const entry of [...this.entries]) {
			if (entry.state === 'unsure') await this.#decideToSendAgain(entry);
			else if (entry.state === 'failed') await this.#findInRoom(entry);
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
		entry.sentAt = performance.now();
		this.#setState(entry, 'sending');
		try {
			const receipt = await postMessage(entry.name, entry.message, entry.since);
			this.#setState(entry, 'stored');
			return await this.#takeReceipt(entry, receipt);
		} catch (error) {
			const isRefusal = error instanceof Refusal;
			entry.reason = isRefusal ? error.message : 'No answer came, and the room doesn’t have it.';
			// A 4xx of the service stores nothing. Whoever else answers doesn't know what became of it.
			if (isRefusal && error.isFromService && error.status < 500) {
				return this.#setState(entry, 'failed');
			}
		}
		await this.#decideToSendAgain(entry);
	}

	/** @param {Entry} entry @param {Receipt} receipt */
	async #takeReceipt(entry, receipt) {
		log.receive(receipt.epoch, receipt.line);
		// The log removes it in a moment. However that goes, it is stored.
		await pause(300);
		if (this.entries.includes(entry)) await log.catchUp().catch(() => {});
		this.remove(entry);
	}

	/**
	 * Decides whether the page offers to send a message again whose answer was lost. The rule: only
	 * where the room, read when no copy can be on its way any more, doesn't have it. Until then it is
	 * `unsure`, however long the room can't be read.
	 * @param {Entry} entry
	 */
	async #decideToSendAgain(entry) {
		this.#setState(entry, 'unsure');
		for (let isDecided = false; !isDecided; await pause(CHECK_MS)) {
			isDecided = performance.now() > entry.sentAt + ARRIVAL_MS;
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
