import { byId, on, onSubmit } from '../lib/dom.js';
import { memory } from '../lib/storage.js';
import { room } from '../model/address.js';
import { countCharacters, MESSAGE_LIMIT } from '../model/line.js';

const SHOWN_LEFT = 400;
/** Glass has no Shift+Enter: there Enter breaks the line, the button sends. */
const isTouch = matchMedia('(pointer: coarse)').matches;

/** Where messages are written: the draft, its length, and the keys that send it. */
class Composer {
	#text = byId('message', HTMLTextAreaElement);
	#key = `draft.${room}`;
	/** Gets what is to be sent. @param {string} _message */
	send = (_message) => {};

	constructor() {
		this.#text.value = memory.get(this.#key, '');
		on(this.#text, 'input', () => this.#changed());
		on(this.#text, 'keydown', (event) => {
			// While an input method composes, Enter chooses a candidate. Safari says so by 229 only.
			const isComposing = event.isComposing || event.keyCode === 229;
			if (event.key !== 'Enter' || event.shiftKey || isComposing || isTouch) return;
			event.preventDefault();
			this.#submit();
		});
		onSubmit('composer', () => this.#submit());
		this.#changed();
	}

	focus() {
		this.#text.focus();
	}

	/** Puts a message back, before what is being written. @param {string} message */
	takeBack(message) {
		this.#text.value = [message, this.#text.value].filter(Boolean).join('\n');
		this.#changed();
		this.focus();
	}

	#submit() {
		const message = this.#text.value.replace(/^(?:[^\S\n]*\n)+|\s+$/g, '');
		if (!message || countCharacters(message) > MESSAGE_LIMIT) return;
		this.send(message);
		this.#text.value = '';
		this.#changed();
		this.focus();
	}

	#changed() {
		const { value, style } = this.#text;
		memory.set(this.#key, value);
		const left = MESSAGE_LIMIT - countCharacters(value);
		const counter = byId('counter');
		counter.textContent = left < 0 ? `${-left} too many` : left < SHOWN_LEFT ? `${left} left` : '';
		counter.classList.toggle('over', left < 0);
		this.#text.setAttribute('aria-invalid', String(left < 0));
		byId('send', HTMLButtonElement).disabled = left < 0 || !value.trim();
		if (CSS.supports('field-sizing', 'content')) return;
		style.height = 'auto';
		style.height = `${this.#text.scrollHeight}px`;
	}
}

export const composer = new Composer();
