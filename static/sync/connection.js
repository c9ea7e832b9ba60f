import { on } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { jitter, pause } from '../lib/time.js';
import { Refusal } from '../net/answer.js';
import { readStream } from '../net/stream.js';
import { log } from './log.js';
import { Tabs } from './tabs.js';

/** @import { Status } from './tabs.js' */

const POLL_MS = 2_000;
/** How long it polls before it tries the stream again. */
const POLLING_MS = 30_000;
const BACKGROUND_POLL_MS = 5_000;
/** After so many streams in a row that failed it polls. */
const STREAM_FAILURE_LIMIT = 2;
/** The longest wait before the next attempt. */
const RETRY_MS = 15_000;
/** Pings come every 15 s: a tab that heard nothing for longer may be cut off. */
const STALE_MS = 20_000;

/**
 * Keeps the log in step with the room: by a stream of its own, by another tab's, or by polling where
 * streams don't come through. Before each it reads what it missed. `change`: another status.
 */
class Connection extends Emitter {
	#attempt = new AbortController();
	#runs = 0;
	#isRunning = false;
	#heardAt = 0;
	#failures = 0;
	/** How many streams failed, one after the other, although the room could be read. */
	#streamFailures = 0;
	#tabs = new Tabs();
	/** @type {Status} */
	status = { state: 'connecting', server: '', reason: '' };

	/** Connects, and stays connected. */
	start() {
		on(this.#tabs, 'role', () => this.#attempt.abort());
		on(this.#tabs, 'question', () => this.#tabs.send({ status: this.status }));
		on(this.#tabs, 'status', ({ detail }) => {
			this.#heardAt = Date.now();
			this.#setStatus(detail);
		});
		on(this.#tabs, 'lines', ({ detail: { epoch, lines } }) => {
			this.#heardAt = Date.now();
			for (const line of lines) log.receive(epoch, line, true);
		});
		on(this.#tabs, 'gap', () => log.catchUp().catch(() => {}));
		on(this.#tabs, 'reset', () => log.openTail().catch(() => {}));
		on(log, 'gap open', () => this.#tabs.isLeader && this.#tabs.send({ event: 'gap' }));
		on(log, 'lines', ({ detail: { lines, isFromTab } }) => {
			if (!isFromTab) this.#tabs.send({ epoch: log.cursor.epoch, lines });
		});
		on(window, 'pagehide', () => this.#suspend());
		on(window, 'pageshow', () => this.#resume());
		on(document, 'freeze', () => this.#suspend());
		on(document, 'resume', () => this.#resume());
		on(window, 'online offline', () => this.#attempt.abort());
		on(document, 'visibilitychange', () => this.#refresh());
		this.#resume();
	}

	#resume() {
		if (this.#isRunning) return;
		this.#isRunning = true;
		this.#tabs.join();
		void this.#run();
	}

	#suspend() {
		this.#isRunning = false;
		this.#runs += 1;
		this.#tabs.leave();
		this.#attempt.abort();
	}

	/** Makes sure that what a reader comes back to is up to date. */
	#refresh() {
		if (document.hidden) return;
		if (Date.now() - this.#heardAt > STALE_MS) this.#attempt.abort();
		else log.catchUp().catch(() => this.#attempt.abort());
	}

	async #run() {
		this.#runs += 1;
		const run = this.#runs;
		while (run === this.#runs) {
			this.#attempt = new AbortController();
			const { signal } = this.#attempt;
			try {
				await log.catchUp();
				this.#failures = 0;
				if (!signal.aborted) await this.#follow(signal);
			} catch (error) {
				this.#failures += 1;
				this.#publish('offline', '', error instanceof Refusal ? error.message : '');
				if (signal.aborted) await pause(jitter(400));
				else await pause(jitter(Math.min(RETRY_MS, 400 * 2 ** this.#failures)), signal);
			}
		}
	}

	/** Follows the room in the best way there is, until that ends. @param {AbortSignal} signal */
	async #follow(signal) {
		if (this.#tabs.role === 'follower') return this.#followLeader(signal);
		if (this.#tabs.role === 'background') return this.#poll(BACKGROUND_POLL_MS, signal);
		const mayStream = this.#streamFailures < STREAM_FAILURE_LIMIT;
		if (mayStream && (await this.#tabs.mayStream())) return this.#stream(signal);
		return this.#poll(POLL_MS, signal);
	}

	/**
	 * Waits for what the leader sends, and polls while it gives no sign of life: one that is suspended
	 * or shows a dialog keeps its lock.
	 * @param {AbortSignal} signal
	 */
	async #followLeader(signal) {
		this.#heardAt = 0;
		while (!signal.aborted) {
			const patienceMs = document.hidden ? STALE_MS : 2 * POLL_MS;
			if (Date.now() - this.#heardAt > patienceMs / 2) this.#tabs.send({ event: 'question' });
			await pause(POLL_MS, signal);
			if (signal.aborted || Date.now() - this.#heardAt < patienceMs) continue;
			await log.catchUp();
			this.#setStatus({ state: 'polling', server: '', reason: '' });
		}
	}

	/** @param {AbortSignal} signal */
	async #stream(signal) {
		let isOpen = false;
		const polling = setInterval(() => {
			if (!isOpen) log.catchUp().catch(() => {});
		}, POLL_MS);
		const ending = await readStream(log.cursor, signal, {
			onOpen: (server) => {
				isOpen = true;
				this.#publish('live', server);
			},
			onPing: () => this.#publish('live', this.status.server),
			onLine: (epoch, line) => {
				this.#heardAt = Date.now();
				log.receive(epoch, line);
			},
		});
		clearInterval(polling);
		if (isOpen) this.#streamFailures = 0;
		if (ending === 'refused') this.#streamFailures += 1;
		if (ending === 'silent') this.#streamFailures = STREAM_FAILURE_LIMIT;
		if (ending === 'reset') {
			await log.openTail();
			this.#tabs.send({ event: 'reset' });
		}
		if (signal.aborted) return;
		this.#publish('connecting');
		// A server that shuts down ends all its streams at once; they must not all come back at once.
		await pause(jitter(600), signal);
	}

	/** @param {number} intervalMs @param {AbortSignal} signal */
	async #poll(intervalMs, signal) {
		const end = Date.now() + POLLING_MS;
		while (Date.now() < end && !signal.aborted) {
			this.#publish('polling');
			await pause(intervalMs, signal);
			await log.catchUp();
		}
		this.#streamFailures = STREAM_FAILURE_LIMIT - 1;
	}

	/** Sets the status, and tells the other tabs. @param {Status['state']} state */
	#publish(state, server = '', reason = '') {
		this.#heardAt = Date.now();
		this.#setStatus({ state, server, reason });
		if (this.#tabs.isLeader) this.#tabs.send({ status: this.status });
	}

	/** @param {Status} status */
	#setStatus(status) {
		this.status = status;
		this.emit('change');
	}
}

export const connection = new Connection();
