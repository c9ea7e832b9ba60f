import { byId, make } from './dom.js';
import { tabMemory } from './storage.js';

/** What a replica can do for the page. */
const ROLES = { page: 'This page', text: 'Last read', stream: 'Live stream', post: 'Last message' };

/** Which replicas have answered this tab, and how many different ones: load balancing to see. */
export class Servers {
  #list = byId('servers', HTMLElement);
  #summary = byId('servers-seen', HTMLElement);
  /** @type {Partial<Record<keyof typeof ROLES, string>>} */
  #roles = {};
  /** @type {string[]} */
  #seen = tabMemory.get('servers', []);

  /**
   * @param {keyof typeof ROLES} role
   * @param {string | null | undefined} server `<name> (<hostname>)`, or the name alone
   */
  note(role, server) {
    if (!server || this.#roles[role] === server) return;
    this.#roles[role] = server;
    const { name, host } = splitServer(server);
    const index = this.#seen.findIndex((other) => splitServer(other).name === name);
    if (index < 0) this.#seen = [...this.#seen, server].slice(-50);
    else if (host) this.#seen[index] = server;
    tabMemory.set('servers', this.#seen);
    this.#show();
  }

  /** Finds out which one served the page: its answer lies in the browser's cache. */
  async lookUpPage() {
    const address = location.pathname;
    const cached = fetch(address, { cache: 'only-if-cached', mode: 'same-origin' });
    const answer = await cached.catch(() => undefined);
    if (answer?.ok) this.note('page', answer.headers.get('chat-server'));
  }

  #show() {
    const count = this.#seen.length;
    this.#summary.textContent = count === 1 ? '1 seen' : `${count} different seen`;
    const entries = Object.entries(ROLES).flatMap(([role, label]) => {
      const server = this.#roles[/** @type {keyof typeof ROLES} */ (role)];
      if (!server) return [];
      const { name } = splitServer(server);
      // The stream gives the name alone; another answer of that server has told its host.
      const full = this.#seen.find((other) => splitServer(other).name === name);
      const { host } = splitServer(full ?? server);
      const value = make('dd', {}, make('b', {}, name));
      if (host) value.append(' ', make('span', { class: 'host' }, host));
      return [make('dt', {}, label), value];
    });
    this.#list.replaceChildren(...entries);
  }
}

/** @param {string} server */
function splitServer(server) {
  const match = /^(.*?) \((.*)\)$/.exec(server);
  return { name: match?.[1] ?? server, host: match?.[2] ?? '' };
}
