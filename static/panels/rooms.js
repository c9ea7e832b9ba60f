import { byId, make, on, onSubmit, pause, showFault } from '../lib/dom.js';
import { memory } from '../lib/storage.js';
import {
	faultOfRoom,
	formatCursor,
	pagePath,
	parseCursor,
	room,
	textPath,
} from '../model/address.js';

/**
 * @import { Cursor } from '../model/address.js'
 * @typedef {{ room: string, read: string, hasNews?: boolean }} Visit `read`: the cursor read to
 */

const KEPT = 16;
const LOOK_MS = 30_000;
const GAP_MS = 500;

/** The rooms visited lately, which of them have news, and the way to another. */
class Rooms {
	#input = byId('room', HTMLInputElement);

	constructor() {
		onSubmit('go', () => {
			const name = this.#input.value.trim();
			const fault = faultOfRoom(name);
			showFault(this.#input, fault);
			if (!fault) location.href = pagePath(name || 'general');
		});
		on(window, 'storage', ({ key }) => key === 'chat.rooms' && this.#show());
	}

	/** Puts this room first, and gives where reading stopped the last time. */
	enter() {
		const visits = this.#visits();
		const visit = visits.find((other) => other.room === room) ?? { room, read: '' };
		const others = visits.filter((other) => other !== visit);
		this.#keep([visit, ...others].slice(0, KEPT));
		return parseCursor(visit.read);
	}

	/** This room has been read to here. @param {Cursor} cursor */
	save(cursor) {
		this.#update(room, { read: formatCursor(cursor), hasNews: false });
	}

	/** Asks one room after the other whether it has news; a hidden page asks nobody. */
	async watch() {
		for (;;) {
			for (const { room: name } of this.#visits()) {
				if (document.hidden || !navigator.onLine || name === room) continue;
				await pause(GAP_MS);
				const answer = await fetch(textPath(name), { method: 'HEAD' }).catch(() => undefined);
				const cursor = parseCursor(answer?.headers.get('chat-cursor'));
				const read = this.#visits().find((visit) => visit.room === name)?.read;
				if (!cursor || !answer?.ok) continue;
				this.#update(name, { hasNews: cursor.offset > 0 && formatCursor(cursor) !== read });
			}
			await pause(LOOK_MS);
		}
	}

	/** @param {string} name @param {Partial<Visit>} change */
	#update(name, change) {
		const visits = this.#visits();
		const visit = visits.find((other) => other.room === name);
		const before = JSON.stringify(visit);
		if (visit && JSON.stringify(Object.assign(visit, change)) !== before) this.#keep(visits);
	}

	/** @returns {Visit[]} */
	#visits() {
		return memory.get('rooms', []);
	}

	/** @param {Visit[]} visits */
	#keep(visits) {
		memory.set('rooms', visits);
		this.#show();
	}

	#show() {
		const items = this.#visits().map(({ room: name, hasNews }) => {
			const link = make('a', { href: pagePath(name), title: name }, make('bdi', {}, name));
			if (name === room) link.setAttribute('aria-current', 'page');
			else if (hasNews) link.append(make('span', { class: 'news' }, 'new'));
			return make('li', {}, link);
		});
		byId('rooms').replaceChildren(...items);
	}
}

export const rooms = new Rooms();
