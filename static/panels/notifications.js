import { byId, isAttended, on, toast } from '../lib/dom.js';
import { shared } from '../lib/storage.js';
import { EMPTY_ROOM } from '../model/cursor.js';
import { parseLine } from '../model/line.js';
import { room } from '../model/room.js';
import { visits } from '../model/visits.js';

/** Desktop notifications, for those who turn them on. */
class Notifications {
	#button = byId('notify');
	/** Those that are open, with the offsets of their lines. @type {Map<Notification, number>} */
	#open = new Map();

	constructor() {
		this.#button.hidden = !('Notification' in window);
		on(this.#button, 'click', () => this.#turn(!this.#isOn()));
		on(visits, 'change', () => this.#closeRead());
		this.#update();
	}

	/** Shows the last of some lines, unless the reader sees it come. @param {import('../model/line.js').Line[]} lines that others wrote */
	show(lines) {
		const last = lines.at(-1);
		if (!last || isAttended() || !this.#isOn()) return;
		const { name, message } = parseLine(last.text);
		const body = `${name}: ${message.replaceAll('↵', '\n')}`.slice(0, 200);
		// The tabs of a room give the same tag, and the browser shows one of them.
		const notification = this.#make({ body, tag: `${room}#${last.start}` });
		if (notification) this.#open.set(notification, last.start);
	}

	/** Closes the notifications of what the reader has read, in this tab or another. */
	#closeRead() {
		const { offset } = visits.getRead() ?? EMPTY_ROOM;
		for (const [notification, start] of this.#open) {
			if (start >= offset) continue;
			notification.close();
			this.#open.delete(notification);
		}
	}

	/**
	 * Makes a notification. Browsers on phones have the class and throw when it is used.
	 * @param {NotificationOptions} options
	 */
	#make(options) {
		try {
			const notification = new Notification(room, options);
			on(notification, 'click', () => window.focus());
			return notification;
		} catch {
			shared.set('notify', false);
			this.#update();
			toast('This browser makes no notifications.');
			return undefined;
		}
	}

	/** @param {boolean} isWanted */
	async #turn(isWanted) {
		const isAllowed = !isWanted || (await Notification.requestPermission()) === 'granted';
		shared.set('notify', isWanted && isAllowed);
		this.#update();
		if (!isAllowed) return toast('The browser doesn’t allow notifications from this page.');
		if (!isWanted) return toast('No notifications.');
		const trial = this.#make({ silent: true, tag: 'trial' });
		trial?.close();
		if (trial) toast('Notifications while this page is in the background.');
	}

	#isOn() {
		return shared.get('notify', false) && Notification.permission === 'granted';
	}

	#update() {
		if (!this.#button.hidden) this.#button.setAttribute('aria-pressed', String(this.#isOn()));
	}
}

export const notifications = new Notifications();
