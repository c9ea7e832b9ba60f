import { byId, make, on, toast } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { cleanMessage } from '../model/line.js';
import { outbox } from '../sync/outbox.js';
import { renderRow } from './row.js';

/** @import { Entry, State } from '../sync/outbox.js' */

/** @type {Partial<Record<State, string>>} */
const NOTES = { queued: 'waiting…', sending: 'sending…', lost: 'sending again… ' };

/**
 * The messages in the outbox, below the last row.
 * `edit` (the message): the reader takes one back to change it.
 */
class Pending extends Emitter {
	#element = byId('pending');

	constructor() {
		super();
		on(outbox, 'change', () => this.#render());
		this.#render();
		on(outbox, 'failed', ({ detail: { reason } }) => toast(reason));
	}

	#render() {
		this.#element.replaceChildren(...outbox.entries.map((entry) => this.#renderEntry(entry)));
	}

	/** @param {Entry} entry */
	#renderEntry(entry) {
		const { state, name, message, reason } = entry;
		const note = make('span', { class: 'note' }, NOTES[state] ?? '');
		const addButton = (/** @type {string} */ label, /** @type {() => void} */ act) => {
			const button = make('button', { type: 'button', class: 'plain' }, label);
			on(button, 'click', act);
			note.append(button);
		};
		if (state === 'failed' || state === 'lost') {
			note.append(make('span', { class: 'reason', dir: 'auto' }, `${reason} `));
			if (state === 'failed') addButton('Send again', () => outbox.sendAgain(entry));
			addButton('Edit', () => {
				outbox.remove(entry);
				this.emit('edit', message);
			});
			addButton('Discard', () => outbox.remove(entry));
		}
		const row = renderRow(name, cleanMessage(message), note);
		row.classList.add('head', 'pending', state);
		return row;
	}
}

export const pending = new Pending();
