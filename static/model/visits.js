import { on } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';
import { shared } from '../lib/storage.js';
import { formatCursor, parseCursor } from './cursor.js';
import { room } from './room.js';

/**
 * @import { Cursor } from './cursor.js'
 * @typedef {{ room: string, read: string, hasNews?: boolean }} Visit `read`: the cursor up to which
 *   the reader has read
 */

const VISIT_LIMIT = 16;

/** The rooms that the reader visited, the latest first. `change`: in this tab or another. */
class Visits extends Emitter {
	constructor() {
		super();
		on(window, 'storage', ({ key }) => key === 'chat.rooms' && this.emit('change'));
	}

	/** @returns {Visit[]} */
	get all() {
		return shared.get('rooms', []);
	}

	/** Up to where the reader has read this room, if they were here. */
	getRead() {
		return parseCursor(this.all.find((visit) => visit.room === room)?.read);
	}

	/** Puts this room first. */
	enter() {
		const visits = this.all;
		const visit = visits.find((other) => other.room === room) ?? { room, read: '' };
		const others = visits.filter((other) => other !== visit);
		this.#save([visit, ...others].slice(0, VISIT_LIMIT));
	}

	/** Notes that the reader has read this room up to here. @param {Cursor} cursor */
	markRead(cursor) {
		this.#update(room, { read: formatCursor(cursor), hasNews: false });
	}

	/** Notes where another room ends now. @param {string} name @param {Cursor} cursor */
	noteEnd(name, cursor) {
		const read = this.all.find((visit) => visit.room === name)?.read;
		this.#update(name, { hasNews: cursor.offset > 0 && formatCursor(cursor) !== read });
	}

	/** @param {string} name @param {Partial<Visit>} change */
	#update(name, change) {
		const visits = this.all;
		const visit = visits.find((other) => other.room === name);
		const before = JSON.stringify(visit);
		if (visit && JSON.stringify(Object.assign(visit, change)) !== before) this.#save(visits);
	}

	/** @param {Visit[]} visits */
	#save(visits) {
		shared.set('rooms', visits);
		this.emit('change');
	}
}

export const visits = new Visits();
