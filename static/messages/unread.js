import { byId, isAttended, on, onAttention } from '../lib/dom.js';
import { room } from '../model/room.js';
import { visits } from '../model/visits.js';
import { log } from '../sync/log.js';
import { rows } from './rows.js';
import { scroll } from './scroll.js';
import { messageWindow } from './window.js';

/** What the reader hasn't read: the divider, the count in the title, the way down. */
class Unread {
	#latest = byId('latest');
	#count = 0;

	constructor() {
		on(this.#latest, 'click', async () => {
			await messageWindow.showLatest();
			this.update();
		});
		on(scroll, 'move', () => this.update());
		onAttention(() => {
			// What was read is no longer new when the reader comes back.
			if (!isAttended() && !this.#count) rows.divide();
			this.update();
		});
	}

	/** @param {import('../model/line.js').Line[]} lines that others wrote */
	add(lines) {
		if (lines[0] && !this.#isReading()) {
			if (!this.#count) rows.divide(lines[0].start);
			this.#count += lines.length;
		}
		this.update();
	}

	/** Shows what is unread; nothing is where the reader sees the end of the room. */
	update() {
		if (!log.isOpen) return;
		if (this.#isReading()) {
			this.#count = 0;
			visits.markRead(log.cursor);
		}
		this.#latest.hidden = scroll.isAtBottom && messageWindow.isAtTail;
		this.#latest.textContent = this.#count ? `${this.#count} new` : 'Latest';
		this.#latest.classList.toggle('news', this.#count > 0);
		document.title = this.#count ? `(${this.#count}) ${room}` : room;
	}

	/** Whether the reader sees what comes. */
	#isReading() {
		return isAttended() && scroll.isAtBottom && messageWindow.isAtTail;
	}
}

export const unread = new Unread();
