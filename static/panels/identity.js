import { byId, on, onSubmit, showFault } from '../lib/dom.js';
import { memory } from '../lib/storage.js';
import { faultOfName } from '../model/line.js';

/** The reader's name: asked for once, where the first message is to be written. */
class Identity extends EventTarget {
	#input = byId('name', HTMLInputElement);
	name = memory.get('name', '');

	constructor() {
		super();
		onSubmit('identity', () => this.#take(this.#input.value.trim()));
		on(this.#input, 'keydown', (event) => {
			if (event.key === 'Escape' && this.name) this.#ask(false);
		});
		on(byId('rename'), 'click', () => {
			this.#ask(true);
			this.#input.select();
		});
		this.#ask(!this.name);
	}

	/** @param {string} name */
	#take(name) {
		const fault = faultOfName(name);
		showFault(this.#input, fault);
		if (fault) return;
		this.name = name;
		memory.set('name', name);
		this.#ask(false);
		this.dispatchEvent(new Event('change'));
	}

	/** @param {boolean} asks */
	#ask(asks) {
		byId('identity').hidden = !asks;
		byId('composer').hidden = asks;
		this.#input.value = this.name;
		byId('me').textContent = this.name;
	}
}

export const identity = new Identity();
