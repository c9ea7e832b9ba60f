import { byId, make, on, onSubmit, showFault } from '../lib/dom.js';
import { pause } from '../lib/time.js';
import { parseCursor } from '../model/cursor.js';
import { chatPath, checkRoomName, normalizeRoomName, pagePath, room } from '../model/room.js';
import { visits } from '../model/visits.js';

const ROUND_MS = 30_000;
const GAP_MS = 500;

/** The rooms that the reader visited, which of them have news, and the way to another. */
class Rooms {
	#input = byId('room', HTMLInputElement);

	constructor() {
		onSubmit('go', () => this.#go());
		on(visits, 'change', () => this.#render());
	}

	#go() {
		const name = normalizeRoomName(this.#input.value);
		const fault = checkRoomName(name);
		showFault(this.#input, fault);
		if (!fault) location.href = pagePath(name);
	}

	/** Asks one room after the other whether it has news, as long as the page is visible. */
	async watch() {
		for (;;) {
			for (const { room: name } of visits.all) {
				if (document.hidden || !navigator.onLine || name === room) continue;
				await pause(GAP_MS);
				const answer = await fetch(chatPath(name), { method: 'HEAD' }).catch(() => undefined);
				const cursor = parseCursor(answer?.headers.get('chat-cursor'));
				if (cursor && answer?.ok) visits.noteEnd(name, cursor);
			}
			await pause(ROUND_MS);
		}
	}

	#render() {
		const items = visits.all.map(({ room: name, hasNews }) => {
			const link = make('a', { href: pagePath(name), title: name }, make('bdi', {}, name));
			if (name === room) link.setAttribute('aria-current', 'page');
			else if (hasNews) link.append(make('span', { class: 'news' }, 'new'));
			return make('li', {}, link);
		});
		byId('rooms').replaceChildren(...items);
	}
}

export const rooms = new Rooms();
