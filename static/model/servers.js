import { Emitter } from '../lib/emitter.js';
import { tabStore } from '../lib/storage.js';

/** The servers that have answered this tab. `change`: one more answer. */
class Servers extends Emitter {
	/** The host of each server, by the server's name. @type {Record<string, string>} */
	hosts = tabStore.get('servers', {});
	/** The server that gave the last answer of each role. @type {Partial<Record<string, string>>} */
	roles = {};

	/** @param {string} role @param {string | null} server `<name> (<hostname>)`, or the name alone */
	note(role, server) {
		const [, name, host] = /^(.+?)(?: \((.*)\))?$/.exec(server ?? '') ?? [];
		if (!name) return;
		this.roles[role] = name;
		this.hosts[name] = host ?? this.hosts[name] ?? '';
		tabStore.set('servers', this.hosts);
		this.emit('change');
	}
}

export const servers = new Servers();
