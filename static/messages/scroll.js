import { byId, on } from '../lib/dom.js';

/** How near its end counts as at its end. */
const SLACK_PX = 48;

/** Keeps the reader at the bottom while they are there, and else what they look at in place. */
class Scroll extends EventTarget {
	#box = byId('scroller');
	/** Whether the reader is at the bottom. */
	isStuck = true;
	#top = 0;
	/** Whether the room ends where the rows end; only there one stays at the bottom. */
	endsHere = true;

	constructor() {
		super();
		on(this.#box, 'scroll', () => this.#look());
		const resized = new ResizeObserver(() => this.isStuck && this.toBottom());
		resized.observe(this.#box);
		resized.observe(byId('content'));
	}

	/** Whether little more than a screen is left above. */
	get isNearTop() {
		return this.#box.scrollTop < this.#box.clientHeight + 400;
	}

	/** Whether little more than a screen is left below. */
	get isNearBottom() {
		return this.#below() < this.#box.clientHeight + 400;
	}

	toBottom() {
		this.isStuck = true;
		this.#box.scrollTop = this.#box.scrollHeight;
		this.#top = this.#box.scrollTop;
	}

	/** Shows an element in the middle. @param {HTMLElement} element */
	toElement(element) {
		this.isStuck = false;
		element.scrollIntoView({ block: 'center' });
		this.#look();
	}

	/** Changes rows without moving those in sight. @param {() => void} change */
	preserve(change) {
		const { top } = this.#box.getBoundingClientRect();
		const rows = [...this.#box.querySelectorAll('.row')];
		const anchor = rows.find((row) => row.getBoundingClientRect().bottom > top);
		const before = anchor?.getBoundingClientRect().top ?? 0;
		change();
		if (this.isStuck) this.toBottom();
		else if (anchor?.isConnected) {
			this.#box.scrollTop += anchor.getBoundingClientRect().top - before;
		}
		this.#top = this.#box.scrollTop;
	}

	#below() {
		return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
	}

	#look() {
		// Only one who scrolls up leaves the bottom.
		const hasMovedUp = this.#box.scrollTop < this.#top - 1;
		this.#top = this.#box.scrollTop;
		if (this.endsHere && this.#below() < SLACK_PX) this.isStuck = true;
		else if (hasMovedUp) this.isStuck = false;
		this.dispatchEvent(new Event('move'));
	}
}

export const scroll = new Scroll();
