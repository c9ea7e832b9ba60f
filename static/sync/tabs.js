import { on } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { room } from '../model/room.js';
import { acquireStream, elect } from './election.js';

/**
 * @import { Line } from '../model/line.js'
 * @import { Role } from './election.js'
 * @typedef {{ state: 'connecting' | 'live' | 'polling' | 'offline', server: string,
 *   reason: string }} Status how the page is connected; `reason`: why it isn't, in the server's words
 * @typedef {{ lines?: Line[], epoch?: string, status?: Status,
 *   event?: 'question' | 'gap' | 'reset' }} Message what tabs tell each other
 */

/**
 * The tabs that show this room. One leads: it has the stream, and sends its lines to the others.
 *
 * - `role`: this tab has another one
 * - `lines` ({ epoch, lines }), `status` (Status): the leader sent these
 * - `question`: another tab asks this leader for its status
 * - `gap`, `reset`: there is more than the leader sent, or the room is not what it was
 */
export class Tabs extends Emitter {
	/** @type {BroadcastChannel | undefined} */
	#channel;
	#candidacy = new AbortController();
	#hasStream = false;
	/** @type {Role} */
	role = 'follower';

	/** Takes part. */
	join() {
		this.#candidacy = new AbortController();
		try {
			this.#channel = new BroadcastChannel(`chat.${room}`);
			on(this.#channel, 'message', ({ data }) => this.#receive(data));
		} catch {
			// The browser has or allows none: the tabs don't hear of each other.
		}
		const { signal } = this.#candidacy;
		const setRole = (/** @type {Role} */ role) => {
			if (signal.aborted) return;
			this.role = role;
			this.emit('role');
		};
		void elect(`chat.room.${room}`, setRole, signal);
	}

	/** Gives up the lead and the stream. */
	leave() {
		this.#candidacy.abort();
		this.#channel?.close();
		this.#channel = undefined;
		this.role = 'follower';
		this.#hasStream = false;
	}

	get isLeader() {
		return this.role === 'leader';
	}

	/** Whether this tab may hold a stream. */
	async mayStream() {
		this.#hasStream ||= await acquireStream(this.#candidacy.signal);
		return this.#hasStream;
	}

	/** @param {Message} message */
	send(message) {
		this.#channel?.postMessage(message);
	}

	/** @param {Message} message */
	#receive({ lines, epoch, status, event }) {
		if (lines && epoch) this.emit('lines', { epoch, lines });
		if (event && this.isLeader === (event === 'question')) this.emit(event);
		if (status && !this.isLeader) this.emit('status', status);
	}
}
