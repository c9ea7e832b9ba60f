import { byId, on } from '../lib/dom.js';
import { room } from '../model/address.js';
import { rooms } from '../panels/rooms.js';
import { log } from '../sync/log.js';
import { rows } from './rows.js';
import { scroll } from './scroll.js';
import { view } from './view.js';

/** What has been read: the divider, what came since, the count in the title. */
class Unread {
	#latest = byId('latest');
	#count = 0;

	constructor() {
		on(this.#latest, 'click', async () => {
			if (!view.isAtTail) await log.openTail().catch(() => {});
			scroll.toBottom();
			this.look();
		});
		on(scroll, 'move', () => this.look());
		on(document, 'visibilitychange', () => {
			// What was new is no longer so once one has looked away.
			if (document.hidden && !this.#count) rows.divide();
			this.look();
		});
	}

	/** @param {import('../model/line.js').Line[]} lines that others wrote */
	add(lines) {
		if (lines[0] && !this.#isSeen()) {
			if (!this.#count) rows.divide(lines[0].start);
			this.#count += lines.length;
		}
		this.look();
	}

	/** Looks whether the reader sees the end of the room. */
	look() {
		if (!log.isOpen) return;
		if (this.#isSeen()) {
			this.#count = 0;
			rooms.save(log.cursor);
		}
		this.#latest.hidden = scroll.isStuck && view.isAtTail;
		this.#latest.textContent = this.#count ? `${this.#count} new` : 'Latest';
		this.#latest.classList.toggle('news', this.#count > 0);
		document.title = this.#count ? `(${this.#count}) ${room}` : room;
	}

	#isSeen() {
		return !document.hidden && scroll.isStuck && view.isAtTail;
	}
}

export const unread = new Unread();
