import { make } from '../lib/dom.js';

/** Turns stored times, which lack the server's zone (contract §3), into the reader's. */
class Clock extends EventTarget {
	#zone = 'UTC';
	#stored = formatterOf('UTC');
	#time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
	#day = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });

	/** @param {string} time as stored, `YYYY-MM-DD HH:MM:SS`; another gives nothing */
	toDate(time) {
		const wanted = parse(time);
		if (Number.isNaN(wanted)) return undefined;
		// Twice, for the hours when summer begins or ends.
		let at = wanted;
		for (let n = 0; n < 2; n += 1) at += wanted - parse(this.#stored.format(at));
		return new Date(at);
	}

	/** @param {Date} date @param {string} time as stored */
	render(date, time) {
		const attributes = { datetime: date.toISOString(), title: `${time} as stored` };
		return make('time', attributes, this.#time.format(date));
	}

	/** @param {Date} [date] */
	dayOf(date) {
		return date ? this.#day.format(date) : '';
	}

	/** Takes the server's zone, if the browser knows it. @param {string | null} zone */
	setZone(zone) {
		if (!zone || zone === this.#zone) return;
		this.#zone = zone;
		try {
			this.#stored = formatterOf(zone);
			this.dispatchEvent(new Event('change'));
		} catch {}
	}
}

/** Writes times as they are stored: Swedish does. @param {string} timeZone */
function formatterOf(timeZone) {
	return new Intl.DateTimeFormat('sv', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
}

/** @param {string} time as stored */
function parse(time) {
	return Date.parse(`${time.replace(' ', 'T')}Z`);
}

export const clock = new Clock();
