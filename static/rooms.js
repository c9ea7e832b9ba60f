import { faultOfRoom, formatCursor, pagePath, parseCursor, textPath } from './address.js';
import { pause } from './connection.js';
import { byId, make } from './dom.js';
import { memory } from './storage.js';

/**
 * @typedef {import('./address.js').Cursor} Cursor
 * @typedef {{ room: string, read: string, hasNews?: boolean }} Visit `read`: the cursor read to
 */

const KEPT = 16;
const LOOK_MS = 30_000;
const GAP_MS = 500;

/** The rooms visited lately, which of them have news, and the way to another. */
export class Rooms {
  #room;
  #list = byId('rooms', HTMLElement);
  #input = byId('room', HTMLInputElement);
  #fault = byId('room-fault', HTMLElement);

  /** @param {string} room the one this page shows */
  constructor(room) {
    this.#room = room;
    byId('go', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#go(this.#input.value.trim());
    });
    addEventListener('storage', (event) => event.key === 'chat.rooms' && this.#show());
    document.addEventListener('visibilitychange', () => document.hidden || this.#show());
  }

  /**
   * Puts this room first.
   * @returns {Cursor | undefined} where reading stopped the last time
   */
  enter() {
    const visits = this.#visits();
    const known = visits.find((visit) => visit.room === this.#room);
    const others = visits.filter((visit) => visit !== known);
    const visit = known ?? { room: this.#room, read: '' };
    memory.set('rooms', [visit, ...others].slice(0, KEPT));
    this.#show();
    return parseCursor(visit.read);
  }

  /** @param {Cursor} cursor this room has been read to here */
  save(cursor) {
    const read = formatCursor(cursor);
    const visits = this.#visits();
    const visit = visits.find(({ room }) => room === this.#room);
    if (!visit || visit.read === read) return;
    visit.read = read;
    visit.hasNews = false;
    memory.set('rooms', visits);
  }

  /** Asks one room after the other whether it has news; a hidden page asks nobody. */
  async watch() {
    for (;;) {
      for (const { room } of this.#visits()) {
        if (document.hidden || !navigator.onLine || room === this.#room) continue;
        await pause(GAP_MS);
        const answer = await fetch(textPath(room), { method: 'HEAD' }).catch(() => undefined);
        const cursor = answer?.ok ? answer.headers.get('chat-cursor') : undefined;
        if (cursor) this.#mark(room, cursor);
      }
      await pause(LOOK_MS);
    }
  }

  /** @param {string} room @param {string} cursor */
  #mark(room, cursor) {
    const visits = this.#visits();
    const visit = visits.find((other) => other.room === room);
    if (!visit) return;
    const hasNews = visit.read !== cursor && !cursor.endsWith('-0');
    if (Boolean(visit.hasNews) === hasNews) return;
    visit.hasNews = hasNews;
    memory.set('rooms', visits);
    this.#show();
  }

  /** @returns {Visit[]} */
  #visits() {
    return memory.get('rooms', []);
  }

  /** @param {string} room */
  #go(room) {
    const fault = faultOfRoom(room);
    this.#fault.textContent = fault;
    this.#input.setAttribute('aria-invalid', String(Boolean(fault)));
    if (!fault) location.href = pagePath(room || 'general');
  }

  #show() {
    const items = this.#visits().map(({ room, hasNews }) => {
      const link = make('a', { href: pagePath(room), title: room }, make('bdi', {}, room));
      if (room === this.#room) link.setAttribute('aria-current', 'page');
      else if (hasNews) link.append(make('span', { class: 'news' }, 'new'));
      return make('li', {}, link);
    });
    this.#list.replaceChildren(...items);
  }
}
