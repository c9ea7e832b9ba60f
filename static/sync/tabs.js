import { on } from '../lib/dom.js';
import { room } from '../model/address.js';
import { elect, takeStream } from './election.js';

/**
 * @import { Line } from '../model/line.js'
 * @typedef {{ state: 'connecting' | 'live' | 'polling' | 'offline', server: string,
 *   reason: string }} Status
 * @typedef {{ lines?: Line[], epoch?: string, status?: Status, asks?: true }} Message
 * @typedef {{ lead: () => void, lines: (epoch: string, lines: Line[]) => void,
 *   status: (status: Status) => void, asked: () => void }} Listeners
 */

/** The tabs that show this room. One leads: it has the stream, and tells the others. */
export class Tabs {
	#listeners;
	/** @type {BroadcastChannel | undefined} */
	#channel;
	#candidacy = new AbortController();
	#hasShare = false;
	leads = false;

	/** @param {Listeners} listeners */
	constructor(listeners) {
		this.#listeners = listeners;
	}

	start() {
		this.#candidacy = new AbortController();
		this.#channel = new BroadcastChannel(`chat.${room}`);
		on(this.#channel, 'message', ({ data }) => this.#hear(data));
		const { signal } = this.#candidacy;
		const changed = (/** @type {boolean} */ leads) => {
			if (signal.aborted) return;
			this.leads = leads;
			this.#listeners.lead();
		};
		elect(`chat.room.${room}`, changed, signal);
	}

	stop() {
		this.#candidacy.abort();
		this.#channel?.close();
		this.#channel = undefined;
		this.leads = this.#hasShare = false;
	}

	/** Whether this tab may hold a stream. */
	async mayStream() {
		this.#hasShare ||= await takeStream(this.#candidacy.signal);
		return this.#hasShare;
	}

	/** @param {Message} message */
	say(message) {
		this.#channel?.postMessage(message);
	}

	/** @param {Message} message */
	#hear({ lines, epoch, status, asks }) {
		if (lines && epoch) this.#listeners.lines(epoch, lines);
		if (asks && this.leads) this.#listeners.asked();
		if (status && !this.leads) this.#listeners.status(status);
	}
}
