import { room } from './address.js';
import { elect } from './election.js';

/**
 * @import { Line } from './line.js'
 * @typedef {{ state: 'connecting' | 'live' | 'polling' | 'offline', server: string,
 *   reason: string }} Status
 * @typedef {{ lines?: Line[], epoch?: string, status?: Status, asks?: true }} Message
 * @typedef {{ lead: (leads: boolean) => void, lines: (epoch: string, lines: Line[]) => void,
 *   status: (status: Status) => void, asked: () => void }} Listeners
 */

/** A leader speaks every 15 s, with the server's ping; one silent this long is frozen. */
const SILENCE_MS = 45_000;

/**
 * The tabs that show one room. One leads: it holds the stream, and tells the others every line and
 * how the connection is. Ten tabs could not have a stream each.
 */
export class Tabs {
  #listeners;
  /** @type {BroadcastChannel | undefined} */
  #channel;
  #candidacy = new AbortController();
  #takeLead = () => {};
  #heardAt = 0;
  leads = false;

  /** @param {Listeners} listeners */
  constructor(listeners) {
    this.#listeners = listeners;
  }

  /** Joins the other tabs. */
  start() {
    this.#candidacy = new AbortController();
    this.#channel = new BroadcastChannel(`chat.${room}`);
    this.#channel.addEventListener('message', ({ data }) => this.#hear(data));
    this.#heardAt = Date.now();
    const { signal } = this.#candidacy;
    const changed = (/** @type {boolean} */ leads) => {
      if (signal.aborted) return;
      this.leads = leads;
      this.#listeners.lead(leads);
    };
    this.#takeLead = elect(`chat.room.${room}`, changed, signal);
  }

  /** Leaves them, for good or until the page is shown again. */
  stop() {
    this.#candidacy.abort();
    this.#channel?.close();
    this.#channel = undefined;
    this.leads = false;
  }

  /** @param {Message} message */
  say(message) {
    this.#channel?.postMessage(message);
  }

  /** Takes the lead from a leader gone quiet: browsers freeze tabs in the background. */
  check() {
    if (this.leads || Date.now() - this.#heardAt < SILENCE_MS) return;
    this.#heardAt = Date.now();
    this.#takeLead();
  }

  /** @param {Message} message */
  #hear({ lines, epoch, status, asks }) {
    this.#heardAt = Date.now();
    if (lines && epoch) this.#listeners.lines(epoch, lines);
    if (asks && this.leads) this.#listeners.asked();
    if (status && !this.leads) this.#listeners.status(status);
  }
}
