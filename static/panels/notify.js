import { byId, on, toast } from '../lib/dom.js';
import { memory } from '../lib/storage.js';
import { room } from '../model/address.js';
import { parseLine } from '../model/line.js';

/** Desktop notifications, for those who ask for them. */
class Notifier {
	#button = byId('notify');

	constructor() {
		this.#button.hidden = !('Notification' in window);
		on(this.#button, 'click', async () => {
			const wanted = !this.#isOn();
			const isAllowed = !wanted || (await Notification.requestPermission()) === 'granted';
			memory.set('notify', wanted && isAllowed);
			if (!isAllowed) toast('The browser doesn’t allow notifications from this page.');
			else
				toast(wanted ? 'Notifications while this page is in the background.' : 'No notifications.');
			this.#show();
		});
		this.#show();
	}

	/** @param {import('../model/line.js').Line[]} lines that others wrote */
	tell(lines) {
		const last = lines.at(-1);
		if (!last || !document.hidden || !this.#isOn()) return;
		const { name, message } = parseLine(last.text);
		const body = `${name}: ${message.replaceAll('↵', '\n')}`.slice(0, 200);
		// Tabs of one room give the same tag, and the browser shows one of them.
		const notification = new Notification(room, { body, tag: `${room}#${last.start}` });
		on(notification, 'click', () => window.focus());
	}

	#isOn() {
		return memory.get('notify', false) && Notification.permission === 'granted';
	}

	#show() {
		if (!this.#button.hidden) this.#button.setAttribute('aria-pressed', String(this.#isOn()));
	}
}

export const notifier = new Notifier();
