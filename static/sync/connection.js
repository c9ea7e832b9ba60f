import { FOREVER_MS, on, pause } from '../lib/dom.js';
import { Refusal } from '../net/reader.js';
import { readStream } from '../net/stream.js';
import { log } from './log.js';
import { Tabs } from './tabs.js';

/** @import { Status } from './tabs.js' */

const POLL_MS = 2_000;
/** How long it polls before it tries the stream again. */
const POLLING_MS = 30_000;
/** After a silence longer than the pings' distance, a stream may be dead. */
const DOUBTFUL_MS = 20_000;

/**
 * Keeps the log in step with the room: by a stream of its own, by another tab's, or by polling where
 * streams don't come through. Before each it reads what it missed, so that
 * nothing is lost.
 */
class Connection extends EventTarget {
	#attempt = new AbortController();
	#runs = 0;
	#isRunning = false;
	#heardAt = 0;
	#failures = 0;
	/** Streams in a row that gave nothing although the room could be read. */
	#strikes = 0;
	/** @type {Status} */
	status = { state: 'connecting', server: '', reason: '' };

	/** The other tabs. */
	tabs = new Tabs({
		lead: () => this.#attempt.abort(),
		lines: (epoch, lines) => {
			this.#heardAt = Date.now();
			for (const line of lines) log.receive(epoch, line, true);
		},
		status: (status) => this.#show(status),
		asked: () => this.tabs.say({ status: this.status }),
	});

	start() {
		const begin = () => this.#begin();
		const stop = () => this.#stop();
		on(window, 'pagehide', stop);
		on(window, 'pageshow', begin);
		on(document, 'freeze', stop);
		on(document, 'resume', begin);
		on(window, 'online offline', () => this.#attempt.abort());
		on(document, 'visibilitychange', () => this.#wake());
		begin();
	}

	#begin() {
		if (this.#isRunning) return;
		this.#isRunning = true;
		this.tabs.start();
		void this.#run();
	}

	#stop() {
		this.#isRunning = false;
		this.#runs += 1;
		this.tabs.stop();
		this.#attempt.abort();
	}

	#wake() {
		if (document.hidden) return;
		if (Date.now() - this.#heardAt > DOUBTFUL_MS) this.#attempt.abort();
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
				if (signal.aborted) continue;
				if (!this.tabs.leads) await this.#follow(signal);
				else if (this.#strikes < 2 && (await this.tabs.mayStream())) await this.#stream(signal);
				else await this.#poll(signal);
			} catch (error) {
				this.#failures += 1;
				this.#tell('offline', '', error instanceof Refusal ? error.message : '');
				if (signal.aborted) await pause(spread(400));
				else await pause(spread(Math.min(15_000, 400 * 2 ** this.#failures)), signal);
			}
		}
	}

	/** Waits, while another tab leads. @param {AbortSignal} signal */
	async #follow(signal) {
		this.tabs.say({ asks: true });
		await pause(FOREVER_MS, signal);
	}

	/** @param {AbortSignal} signal */
	async #stream(signal) {
		let isGreeted = false;
		const polling = setInterval(() => {
			if (!isGreeted) log.catchUp().catch(() => {});
		}, POLL_MS);
		const ending = await readStream({
			cursor: log.cursor,
			signal,
			greeted: (server) => {
				isGreeted = true;
				this.#tell('live', server, '');
			},
			heard: () => {
				this.#heardAt = Date.now();
			},
			received: (epoch, line) => log.receive(epoch, line),
		});
		clearInterval(polling);
		if (isGreeted) this.#strikes = 0;
		if (ending === 'refused') this.#strikes += 1;
		if (ending === 'swallowed') this.#strikes = 2;
		if (ending === 'reset') await log.openTail();
		if (signal.aborted) return;
		this.#tell('connecting', '', '');
		// A server that goes down ends all its streams at once.
		await pause(spread(600), signal);
	}

	/** @param {AbortSignal} signal */
	async #poll(signal) {
		const end = Date.now() + POLLING_MS;
		while (Date.now() < end && !signal.aborted) {
			this.#tell('polling', '', '');
			await pause(POLL_MS, signal);
			await log.catchUp();
		}
		this.#strikes = 1;
	}

	/** @param {Status['state']} state @param {string} server @param {string} reason */
	#tell(state, server, reason) {
		this.#show({ state, server, reason });
		if (this.tabs.leads) this.tabs.say({ status: this.status });
	}

	/** @param {Status} status */
	#show(status) {
		this.#heardAt = Date.now();
		this.status = status;
		this.dispatchEvent(new Event('change'));
	}
}

export const connection = new Connection();

/** Half as much to half as much again. @param {number} ms */
function spread(ms) {
	return ms * (0.5 + Math.random());
}
