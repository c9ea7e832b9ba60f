import { byId, on, onSubmit, showFault } from '../lib/dom.js';
import { identity } from '../model/identity.js';
import { cleanName, faultOfName } from '../model/line.js';

/** Asks for the reader's name, once, in the place where they will write; later on request. */
class IdentityForm {
	#input = byId('name', HTMLInputElement);

	constructor() {
		onSubmit('identity', () => this.#submit());
		on(this.#input, 'keydown', (event) => {
			if (event.key === 'Escape' && identity.name) this.#show(false);
		});
		on(byId('rename'), 'click', () => {
			this.#show(true);
			this.#input.select();
		});
		on(identity, 'change', () => this.#show(!identity.name));
		this.#show(!identity.name);
	}

	#submit() {
		const name = this.#input.value.normalize();
		const fault = faultOfName(name);
		showFault(this.#input, fault);
		if (!fault) identity.setName(cleanName(name));
	}

	/** @param {boolean} isAsking */
	#show(isAsking) {
		byId('identity').hidden = !isAsking;
		byId('composer').hidden = isAsking;
		this.#input.value = identity.name;
		byId('me').textContent = identity.name;
	}
}

new IdentityForm();
