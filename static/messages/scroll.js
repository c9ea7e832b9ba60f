import { bisect } from '../lib/bisect.js';
import { byId, on } from '../lib/dom.js';
import { Emitter } from '../lib/emitter.js';

/** Nearer to the end than this counts as at the end. */
const SLACK_PX = 48;

/**
 * Keeps a reader who is at the bottom there, and else keeps the rows that they see where they are.
 * `move`: the reader scrolled.
 */
class Scroll extends Emitter {
	#scroller = byId('scroller');
	#top = 0;
	/** Whether the reader is at the bottom, and new rows keep them there. */
	isAtBottom = true;
	/** Whether the last row is the room's last line; only there does a reader stay at the bottom. */
	isRoomEnd = true;

	constructor() {
		super();
		// Where nothing can be scrolled, a reader tries all the same.
		on(this.#scroller, 'scroll wheel touchmove', () => this.#update());
		const resized = new ResizeObserver(() => this.isAtBottom && this.toBottom());
		resized.observe(this.#scroller);
		resized.observe(byId('content'));
	}

	/** Whether little more than a screen is left above. */
	get isNearTop() {
		return this.#scroller.scrollTop < this.#scroller.clientHeight + 400;
	}

	/** Whether little more than a screen is left below. */
	get isNearBottom() {
		return this.#getHeightBelow() < this.#scroller.clientHeight + 400;
	}

	toBottom() {
		this.isAtBottom = true;
		this.#scroller.scrollTop = this.#scroller.scrollHeight;
		this.#top = this.#scroller.scrollTop;
	}

	/** Shows an element in the middle. @param {HTMLElement} element */
	toElement(element) {
		this.isAtBottom = false;
		element.scrollIntoView({ block: 'center' });
		this.#update();
	}

	/** Changes rows without moving those in sight. @param {() => void} change */
	preserve(change) {
		const { top } = this.#scroller.getBoundingClientRect();
		const rows = [...this.#scroller.querySelectorAll('.row')];
		const anchor = rows[bisect(rows, (row) => row.getBoundingClientRect().bottom > top)];
		const before = anchor?.getBoundingClientRect().top ?? 0;
		change();
		if (this.isAtBottom) this.toBottom();
		else if (anchor?.isConnected) {
			this.#scroller.scrollTop += anchor.getBoundingClientRect().top - before;
		}
		this.#top = this.#scroller.scrollTop;
	}

	#getHeightBelow() {
		const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
		return scrollHeight - clientHeight - scrollTop;
	}

	#update() {
		// Only scrolling up leaves the bottom; rows that come in below don't.
		const hasMovedUp = this.#scroller.scrollTop < this.#top - 1;
		this.#top = this.#scroller.scrollTop;
		if (this.isRoomEnd && this.#getHeightBelow() < SLACK_PX) this.isAtBottom = true;
		else if (hasMovedUp) this.isAtBottom = false;
		this.emit('move');
	}
}

export const scroll = new Scroll();
