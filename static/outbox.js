import { parseCursor, textPath } from './address.js';
import { pause } from './connection.js';
import { make, toast } from './dom.js';
import { cleanMessage, parseLine } from './line.js';
import { refusalOf } from './reader.js';
import { tabMemory } from './storage.js';

/**
 * @typedef {import('./line.js').Line} Line
 * @typedef {import('./address.js').Cursor} Cursor
 * @typedef {'waiting' | 'sending' | 'sent' | 'unsure' | 'failed'} State
 * @typedef {{ name: string, message: string, state: State, since: Cursor, reason: string }} Entry
 *   `since`: where the room ended when it was sent; its line can only be behind that
 * @typedef {{ room: string, place: HTMLElement, log: import('./log.js').RoomLog,
 *   reader: import('./reader.js').RoomReader, maker: import('./row.js').RowMaker,
 *   clock: import('./clock.js').Clock, heard: (server: string | null) => void,
 *   takeBack: (message: string) => void }} Parts
 */

const TIMEOUT_MS = 20_000;
/** How often it looks for a message whose answer was lost: it may be stored a moment later. */
const LOOKS_MS = [0, 800, 2_000];
const NOTES = {
  waiting: 'waiting…',
  sending: 'sending…',
  sent: '',
  unsure: 'did it arrive? looking…',
};

/**
 * The messages on their way. Each is shown at once and goes when its line has arrived. Where the
 * answer is lost, the room itself tells whether the message is in it, before it can be sent again.
 */
export class Outbox {
  #parts;
  #key;
  /** @type {Entry[]} */
  #entries;
  #isSending = false;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#key = `outbox.${parts.room}`;
    this.#entries = tabMemory.get(this.#key, []);
    this.#show();
  }

  /** @param {string} name @param {string} message */
  add(name, message) {
    this.#entries.push({ name, message, state: 'waiting', since: this.#since(), reason: '' });
    this.#show();
    void this.#send();
  }

  /**
   * Lets go of the messages whose lines have arrived.
   * @param {Line[]} lines
   */
  settle(lines) {
    const open = this.#entries.filter((entry) => entry.state !== 'waiting');
    if (!open.length) return;
    for (const line of lines) {
      const { name, message } = parseLine(line.text);
      const index = this.#entries.findIndex(
        (entry) =>
          entry.state !== 'waiting' &&
          line.start >= entry.since.offset &&
          entry.name === name &&
          cleanMessage(entry.message) === message,
      );
      if (index >= 0) this.#entries.splice(index, 1);
    }
    this.#show();
  }

  /** Looks for the messages that were on their way when the page was left. */
  async restore() {
    for (const entry of this.#entries) {
      entry.reason = 'The page was reloaded before it was sent.';
      if (entry.state !== 'waiting') await this.#look(entry);
      entry.state = 'failed';
    }
    this.#show();
  }

  /** One after the other, so that they keep their order. */
  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    for (;;) {
      const entry = this.#entries.find(({ state }) => state === 'waiting');
      if (!entry) break;
      await this.#post(entry);
      this.#show();
    }
    this.#isSending = false;
  }

  /** @param {Entry} entry */
  async #post(entry) {
    this.#turn(entry, 'sending');
    entry.since = this.#since();
    try {
      const answer = await fetch(textPath(this.#parts.room), {
        method: 'POST',
        body: new URLSearchParams({ username: entry.name, message: entry.message }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      this.#parts.heard(answer.headers.get('chat-server'));
      if (answer.status === 201) return await this.#confirm(entry, answer);
      const refusal = await refusalOf(answer);
      entry.reason = refusal.message;
      // Such a refusal stores nothing; a 5xx may come from a proxy that doesn't know, and browsers
      // make a 200 of an answer that broke off after an interim one.
      if (refusal.status >= 400 && refusal.status < 500) return this.#fail(entry);
    } catch {
      entry.reason = 'No answer came, and the room doesn’t have it.';
    }
    this.#turn(entry, 'unsure');
    for (const lookMs of LOOKS_MS) {
      await pause(lookMs);
      await this.#look(entry);
      if (!this.#entries.includes(entry)) return;
    }
    this.#fail(entry);
  }

  /** @param {Entry} entry @param {Response} answer */
  async #confirm(entry, answer) {
    this.#turn(entry, 'sent');
    const text = (await answer.text()).replace(/\r?\n$/, '');
    const cursor = parseCursor(answer.headers.get('chat-cursor'));
    this.#parts.clock.learn(parseLine(text).time, answer.headers.get('date'));
    const bytes = new TextEncoder().encode(text).length + 1;
    if (cursor) {
      const line = { start: cursor.offset - bytes, end: cursor.offset, text };
      this.#parts.log.receive(cursor.epoch, line);
    }
    // Its line shows up by itself in a moment. However that goes, it is stored.
    await pause(300);
    if (!this.#entries.includes(entry)) return;
    await this.#parts.log.catchUp().catch(() => {});
    this.#remove(entry);
  }

  /** Reads what is behind the entry's cursor, as soon as that works. @param {Entry} entry */
  async #look(entry) {
    const { log, reader } = this.#parts;
    for (let waitMs = 1_000; this.#entries.includes(entry); waitMs = Math.min(8_000, waitMs * 2)) {
      try {
        await log.catchUp();
        const { offset } = log.cursor;
        let at = entry.since.epoch === log.cursor.epoch ? entry.since.offset : 0;
        while (at < offset && this.#entries.includes(entry)) {
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

  /** @param {Entry} entry */
  #fail(entry) {
    this.#turn(entry, 'failed');
    toast(`Not sent. ${entry.reason}`);
  }

  /** @param {Entry} entry @param {State} state */
  #turn(entry, state) {
    entry.state = state;
    this.#show();
  }

  /** @param {Entry} entry */
  #remove(entry) {
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#show();
  }

  /** Where the room ends, as far as is known. @returns {Cursor} */
  #since() {
    return this.#parts.log.cursor;
  }

  #show() {
    tabMemory.set(this.#key, this.#entries);
    this.#parts.place.replaceChildren(...this.#entries.map((entry) => this.#render(entry)));
  }

  /** @param {Entry} entry */
  #render(entry) {
    const { state, name, message } = entry;
    const note = make('span', { class: 'note' });
    if (state !== 'failed') note.append(NOTES[state]);
    else {
      const again = () => {
        this.#turn(entry, 'waiting');
        void this.#send();
      };
      const edit = () => {
        this.#remove(entry);
        this.#parts.takeBack(message);
      };
      note.append(make('span', { class: 'reason', dir: 'auto' }, `Not sent. ${entry.reason} `));
      note.append(button('Send again', again), button('Edit', edit));
      note.append(button('Discard', () => this.#remove(entry)));
    }
    const row = this.#parts.maker.makePending(name, cleanMessage(message), note);
    row.classList.add('pending', state);
    return row;
  }
}

/** @param {string} label @param {() => void} act */
function button(label, act) {
  const element = make('button', { type: 'button', class: 'plain' }, label);
  element.addEventListener('click', act);
  return element;
}
