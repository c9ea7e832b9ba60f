import { byId, make, on } from '../lib/dom.js';
import { servers } from '../model/servers.js';
import { noteServer } from '../net/answer.js';

const ROLES = { page: 'This page', text: 'Last read', stream: 'Live stream', post: 'Last message' };

/** Shows which servers have answered this tab, so that load balancing can be seen. */
class ServersPanel {
	constructor() {
		on(servers, 'change', () => this.#render());
	}

	/** Finds out which server sent the page: its answer is in the browser's cache. */
	async findPageServer() {
		const options = /** @type {const} */ ({ cache: 'only-if-cached', mode: 'same-origin' });
		const answer = await fetch(location.pathname, options).catch(() => undefined);
		if (answer?.ok) noteServer('page', answer);
	}

	#render() {
		const { hosts, roles } = servers;
		byId('servers-seen').textContent = `${Object.keys(hosts).length} seen`;
		const entries = Object.entries(ROLES).flatMap(([role, label]) => {
			const name = roles[role];
			if (!name) return [];
			const host = make('span', { class: 'host' }, hosts[name] ?? '');
			return [make('dt', {}, label), make('dd', {}, make('b', {}, name), ' ', host)];
		});
		byId('servers').replaceChildren(...entries);
	}
}

export const serversPanel = new ServersPanel();
