import { on } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { shared } from '../lib/storage.js';

/** The reader's own name, '' until they have chosen one. `change`: it is another, chosen in this
 * tab or another. */
class Identity extends Emitter {
	name = shared.get('name', '');

	constructor() {
		super();
		on(window, 'storage', ({ key }) => {
			if (key !== 'chat.name') return;
			this.name = shared.get('name', '');
			this.emit('change');
		});
	}

	/** @param {string} name */
	setName(name) {
		this.name = name;
		shared.set('name', name);
		this.emit('change');
	}
}

export const identity = new Identity();

/** A hue for a name, the same for every reader (FNV-1a). @param {string} name */
export function getHue(name) {
	let hash = 0x811c9dc5;
	for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
	return ((hash >>> 0) % 12) * 30;
}
