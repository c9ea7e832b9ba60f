import { on } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { tabStore } from '../lib/storage.js';
import { jitter, pause } from '../lib/time.js';
import { EMPTY_ROOM } from '../model/cursor.js';
import { cleanMessage, parseLine } from '../model/line.js';
import { room } from '../model/room.js';
import { Refusal } from '../net/answer.js';
import { postMessage } from '../net/post.js';
import { connection } from './connection.js';
import { log } from './log.js';

/**
 * @import { Cursor } from '../model/cursor.js'
 * @import { Line } from '../model/line.js'
 * @typedef {'queued' | 'sending' | 'lost' | 'failed'} State
 *   `lost`: sent, with an unknown or temporary outcome; it is sent again; `failed`: the reader
 *   decides
 * @typedef {{ name: string, message: string, state: State, reason: string, since?: Cursor,
 *   writtenAt: number }} Entry `reason`: why it is lost or failed; `since`: a cursor from before it was
 *   first sent: with the same one it can be sent any number of times, and is stored once
 */

/** The longest wait before a message is sent again. */
const RETRY_MS = 4_000;
/** A message older than this is not sent by itself after a reload. */
const OLD_MS = 3_600_000;

/**
 * The reader's messages from the moment they are written until their lines are in the log. They
 * outlive a reload, not their tab. Events: `change`; `failed`, with the entry.
 */
class Outbox extends Emitter {
	#key = `outbox.${room}`;
	#isSending = false;
	#lossCount = 0;
	/** The cursor after the last message that was stored: it may be ahead of the log. */
	#stored = EMPTY_ROOM;
	/** @type {Entry[]} */
	entries = this.#load();

	constructor() {
		super();
		on(log, 'lines', ({ detail: { lines } }) => this.#takeLines(lines));
		on(window, 'beforeunload', (event) => {
			if (this.entries.some(({ state }) => /queued|lost/.test(state))) event.preventDefault();
		});
		void this.#sendAll();
	}

	/** @param {string} name @param {string} message */
	add(name, message) {
		const entry = { name, message, reason: '', writtenAt: Date.now() };
		// A tab may be duplicated while it waits: all copies must have one cursor.
		const since = log.isOpen ? this.#end : undefined;
		this.entries.push({ ...entry, state: 'queued', since });
		void this.#sendAll();
	}

	/** @param {Entry} entry one that failed */
	sendAgain(entry) {
		entry.state = 'queued';
		entry.since = undefined;
		void this.#sendAll();
	}

	/** @param {Entry} entry */
	remove(entry) {
		this.entries = this.entries.filter((other) => other !== entry);
		this.#emitChange();
	}

	/**
	 * Loads what a page before this one left. That page, or a duplicate of its tab, may have sent it.
	 * @returns {Entry[]}
	 */
	#load() {
		/** @type {Entry[]} */
		const entries = tabStore.get(this.#key, []);
		for (const entry of entries.filter(({ state }) => state !== 'failed')) {
			const isOld = Date.now() - entry.writtenAt > OLD_MS;
			entry.state = isOld ? 'failed' : 'lost';
			entry.reason = isOld ? 'Perhaps not sent. It has waited for more than an hour.' : '';
		}
		return entries;
	}

	/** Where the room ends, as far as this page knows. */
	get #end() {
		const { epoch, offset } = log.cursor;
		const isSameRoom = epoch === this.#stored.epoch || offset === 0;
		return isSameRoom && this.#stored.offset > offset ? this.#stored : log.cursor;
	}

	/**
	 * Removes the messages whose lines these are, by the server's rule for repeats: same name and
	 * text, after `since`.
	 * @param {Line[]} lines
	 */
	#takeLines(lines) {
		for (const line of this.entries.length ? lines : []) {
			const { name, message } = parseLine(line.text);
			const entry = this.entries
				.filter(({ since }) => since && since.offset <= line.start)
				.find((sent) => sent.name === name && cleanMessage(sent.message) === message);
			if (entry) this.#takeLine(entry, log.cursor.epoch, line);
		}
	}

	/**
	 * Removes a message that is stored. Later queued messages get the cursor after this line, so that
	 * the same text sent twice is stored twice.
	 * @param {Entry} entry @param {string} epoch @param {Line} line
	 */
	#takeLine(entry, epoch, { end }) {
		this.#stored = { epoch, offset: end };
		const index = this.entries.indexOf(entry);
		for (const later of this.entries.slice(index + 1)) {
			if (later.since && later.since.offset < end) later.since = this.#stored;
		}
		this.remove(entry);
	}

	/** Sends one after the other, so that they keep their order. */
	async #sendAll() {
		this.#emitChange();
		if (this.#isSending) return;
		this.#isSending = true;
		for (;;) {
			while (!log.isOpen || connection.status.state === 'offline') await pause(300);
			const entry = this.entries.find(({ state }) => state !== 'failed');
			if (!entry) break;
			await this.#send(entry);
		}
		this.#isSending = false;
	}

	/** @param {Entry} entry */
	async #send(entry) {
		const since = entry.since ?? this.#end;
		entry.since = since;
		this.#setState(entry, entry.state === 'lost' ? 'lost' : 'sending');
		try {
			const { epoch, line } = await postMessage(entry.name, entry.message, since);
			this.#lossCount = 0;
			log.receive(epoch, line);
			// Keep it in sight until the log has its line; if the room can't be read, remove it
			// anyway.
			if (this.entries.includes(entry)) await log.catchUp().catch(() => {});
			if (this.entries.includes(entry)) this.#takeLine(entry, epoch, line);
		} catch (error) {
			await this.#decideToSendAgain(entry, error instanceof Refusal ? error : undefined);
		}
	}

	/**
	 * What happens to a message that was not acknowledged: it is sent again unless the service itself has
	 * refused it. Then the reader decides.
	 * @param {Entry} entry @param {Refusal} [refusal]
	 */
	async #decideToSendAgain(entry, refusal) {
		const status = refusal?.isFromService ? refusal.status : 0;
		const isRefused = status >= 400 && status < 500 && status !== 408 && status !== 429;
		if (!isRefused) {
			entry.reason = refusal?.message ?? '';
			this.#setState(entry, 'lost');
		} else if (status === 409 && entry.state !== 'lost') {
			// No earlier attempt is unaccounted for, so the cursor is only too old: take a new one.
			entry.since = undefined;
			this.#stored = EMPTY_ROOM;
			await log.catchUp().catch(() => {});
		} else {
			// An earlier attempt whose answer was lost may have been stored.
			const isKnown = entry.state !== 'lost';
			entry.reason = `${isKnown ? 'Not sent.' : 'Perhaps not sent.'} ${refusal?.message}`;
			this.#setState(entry, 'failed');
			return;
		}
		await pause(jitter(Math.min(RETRY_MS, 500 * 2 ** this.#lossCount)));
		this.#lossCount += 1;
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
