import { byId, make } from '../lib/dom.js';
import { tabMemory } from '../lib/storage.js';

const ROLES = { page: 'This page', text: 'Last read', stream: 'Live stream', post: 'Last message' };

/** Which replicas have answered this tab, and how many different ones: load balancing to see. */
class Servers {
	/** @type {Partial<Record<string, string>>} */
	#roles = {};
	/** The host of each server by name. @type {Record<string, string>} */
	#hosts = tabMemory.get('servers', {});

	/** @param {string} role @param {string | null} server `<name> (<hostname>)`, or no host */
	note(role, server) {
		const [, name, host] = /^(.+?)(?: \((.*)\))?$/.exec(server ?? '') ?? [];
		if (!name) return;
		this.#roles[role] = name;
		this.#hosts[name] = host ?? this.#hosts[name] ?? '';
		tabMemory.set('servers', this.#hosts);
		this.#show();
	}

	/** Finds out which one served the page: its answer lies in the browser's cache. */
	async lookUpPage() {
		const options = /** @type {const} */ ({ cache: 'only-if-cached', mode: 'same-origin' });
		const answer = await fetch(location.pathname, options).catch(() => undefined);
		if (answer?.ok) this.note('page', answer.headers.get('chat-server'));
	}

	#show() {
		const count = Object.keys(this.#hosts).length;
		byId('servers-seen').textContent = `${count} seen`;
		const entries = Object.entries(ROLES).flatMap(([role, label]) => {
			const name = this.#roles[role];
			if (!name) return [];
			const host = make('span', { class: 'host' }, this.#hosts[name] ?? '');
			return [make('dt', {}, label), make('dd', {}, make('b', {}, name), ' ', host)];
		});
		byId('servers').replaceChildren(...entries);
	}
}

export const servers = new Servers();
