import { elect } from './election.js';

/**
 * @typedef {import('./line.js').Line} Line
 * @typedef {{ state: 'connecting' | 'live' | 'polling' | 'offline', server: string,
 *   reason: string }} Status
 * @typedef {{ lines?: Line[], epoch?: string, status?: Status, isNew?: true }} Message
 * @typedef {{ lead: (leads: boolean) => void, lines: (epoch: string, lines: Line[]) => void,
 *   status: (status: Status) => void, asked: () => void }} Listeners
 */

/** A leader speaks every 15 s, with the server's ping; one silent for this long is frozen. */
const SILENCE_MS = 45_000;

/**
 * The tabs that show one room. One of them leads: it holds the stream, and tells the others every
 * line and what the connection is like. Browsers allow a host six connections, so ten tabs could
 * not have a stream each.
 */
export class Tabs {
  #room;
  #listeners;
  /** @type {BroadcastChannel | undefined} */
  #channel;
  /** @type {AbortController | undefined} */
  #candidacy;
  /** @type {() => void} */
  #takeLead = () => {};
  #heardAt = Date.now();
  #leads = false;

  /**
   * @param {string} room
   * @param {Listeners} listeners
   */
  constructor(room, listeners) {
    this.#room = room;
    this.#listeners = listeners;
  }

  get leads() {
    return this.#leads;
  }

  /** Joins the other tabs. */
  start() {
    if (this.#candidacy) return;
    const candidacy = new AbortController();
    this.#candidacy = candidacy;
    const channel = new BroadcastChannel(`chat.${this.#room}`);
    this.#channel = channel;
    channel.addEventListener('message', (event) => this.#hear(event.data));
    candidacy.signal.addEventListener('abort', () => channel.close());
    this.#heardAt = Date.now();
    const changed = (/** @type {boolean} */ leads) => {
      this.#leads = leads;
      this.#heardAt = Date.now();
      this.#listeners.lead(leads);
    };
    this.#takeLead = elect(`chat.room.${this.#room}`, changed, candidacy.signal);
    this.say({ isNew: true });
  }

  /** Leaves them: the page is closed, or put away and perhaps shown again. */
  stop() {
    this.#candidacy?.abort();
    this.#candidacy = undefined;
    this.#leads = false;
  }

  /** @param {Message} message */
  say(message) {
    if (this.#candidacy) this.#channel?.postMessage(message);
  }

  /** Takes the lead if the leader has gone quiet: a browser may freeze a tab in the background. */
  check() {
    if (this.#leads || Date.now() - this.#heardAt < SILENCE_MS) return;
    this.#heardAt = Date.now();
    this.#takeLead();
  }

  /** @param {Message} message */
  #hear({ lines, epoch, status, isNew }) {
    if (lines && epoch) {
      this.#heardAt = Date.now();
      this.#listeners.lines(epoch, lines);
    }
    if (isNew && this.#leads) this.#listeners.asked();
    if (status && !this.#leads) {
      this.#heardAt = Date.now();
      this.#listeners.status(status);
    }
  }
}
