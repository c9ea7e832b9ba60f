import { byId, on, onSubmit } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { shared, tabStore } from '../lib/storage.js';
import { countCharacters, isBlank, MESSAGE_LIMIT } from '../model/line.js';
import { room } from '../model/room.js';

/** So near to the limit the composer counts. */
const COUNTED_LEFT = 400;
/** A screen keyboard has no Shift+Enter: there Enter breaks the line, and the button sends, or Ctrl. */
const isTouch = matchMedia('(pointer: coarse)').matches;

/**
 * panels/ are the parts around the messages, one file each; none knows another. The composer is
 * where the reader writes: the draft, its length, and the keys that send it.
 * `send` (the message)
 */
class Composer extends Emitter {
	#text = byId('message', HTMLTextAreaElement);
	#key = `draft.${room}`;

	constructor() {
		super();
		this.#restoreDraft();
		on(window, 'pageshow', ({ persisted }) => persisted && this.#takeFromShared());
		on(window, 'pagehide', () => this.#text.value && shared.set(this.#key, this.#text.value));
		on(this.#text, 'input', () => this.#update());
		on(this.#text, 'keydown', (event) => {
			// While an input method composes, Enter chooses a candidate. Safari says so by 229 only.
			const isComposing = event.isComposing || event.keyCode === 229;
			const isSending = event.ctrlKey || event.metaKey || !(event.shiftKey || isTouch);
			if (event.key !== 'Enter' || isComposing || !isSending) return;
			event.preventDefault();
			this.#submit();
		});
		onSubmit('composer', () => this.#submit());
		this.#update();
	}

	/**
	 * Shows the draft of this tab, or else one that a closed tab left. A draft is its tab's own while it
	 * is written, so that other tabs neither lose it nor send it once more.
	 */
	#restoreDraft() {
		const own = tabStore.get(this.#key, '');
		this.#text.value = own || shared.get(this.#key, '');
		this.#takeFromShared();
	}

	/** Takes away what this tab left for others when its page was hidden. */
	#takeFromShared() {
		if (shared.get(this.#key, '') === this.#text.value) shared.set(this.#key, '');
	}

	focus() {
		this.#text.focus();
	}

	/** Puts a message before what is being written, to be edited. @param {string} message */
	takeBack(message) {
		this.#text.value = [message, this.#text.value].filter(Boolean).join('\n');
		this.#update();
		this.focus();
	}

	#submit() {
		const message = this.#text.value.replace(/^(?:[^\S\n]*\n)+/, '').trimEnd();
		if (isBlank(message) || countCharacters(message) > MESSAGE_LIMIT) return;
		this.emit('send', message);
		this.#text.value = '';
		this.#update();
		this.focus();
	}

	#update() {
		const { value, style } = this.#text;
		tabStore.set(this.#key, value);
		const left = MESSAGE_LIMIT - countCharacters(value);
		const counter = byId('counter');
		counter.textContent = '';
		if (left < 0) counter.textContent = `${-left} too many`;
		else if (left < COUNTED_LEFT) counter.textContent = `${left} left`;
		counter.classList.toggle('over', left < 0);
		this.#text.setAttribute('aria-invalid', String(left < 0));
		byId('send', HTMLButtonElement).disabled = left < 0 || isBlank(value);
		if (CSS.supports('field-sizing', 'content')) return;
		style.height = 'auto';
		style.height = `${this.#text.scrollHeight}px`;
	}
}

export const composer = new Composer();
