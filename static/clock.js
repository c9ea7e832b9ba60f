import { make } from './dom.js';
import { memory } from './storage.js';

/**
 * Turns stored times, which lack the server's zone (contract §3), into the reader's. They count as
 * UTC until the answer to a message tells: its `Date` is GMT, its line is not.
 */
class Clock extends EventTarget {
	#zoneMinutes = memory.get('zone', 0);
	#time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
	#day = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });

	/** @param {string} time as stored, `YYYY-MM-DD HH:MM:SS`; another gives nothing */
	toDate(time) {
		const date = new Date(parse(time) - this.#zoneMinutes * 60_000);
		return Number.isNaN(date.valueOf()) ? undefined : date;
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

	/** Learns the server's zone. @param {string} time as stored @param {string | null} httpDate */
	learn(time, httpDate) {
		const aheadMs = parse(time) - Date.parse(httpDate ?? '');
		// Zones are whole quarters of an hour.
		const zoneMinutes = Math.round(aheadMs / 900_000) * 15;
		if (!(Math.abs(zoneMinutes) <= 840) || zoneMinutes === this.#zoneMinutes) return;
		this.#zoneMinutes = zoneMinutes;
		memory.set('zone', zoneMinutes);
		this.dispatchEvent(new Event('change'));
	}
}

/** @param {string} time */
function parse(time) {
	return Date.parse(`${time.replace(' ', 'T')}Z`);
}

export const clock = new Clock();
