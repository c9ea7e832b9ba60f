import { Emitter } from '../lib/emitter.js';

/**
 * Turns the times of stored lines, which are in the server's zone, into the reader's.
 * `change`: the server's zone became known.
 */
class Clock extends Emitter {
	#zone = 'UTC';
	#stored = makeStoredFormat('UTC');
	#time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
	#day = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });

	/** @param {string} time as stored, `YYYY-MM-DD HH:MM:SS`; another text gives undefined */
	parse(time) {
		const wanted = parseAsUtc(time);
		if (Number.isNaN(wanted)) return undefined;
		// The second pass is for the hours in which summer time begins or ends.
		let at = wanted;
		for (let pass = 0; pass < 2; pass += 1) at += wanted - parseAsUtc(this.#stored.format(at));
		return new Date(at);
	}

	/** @param {Date} date */
	formatTime(date) {
		return this.#time.format(date);
	}

	/** @param {Date} [date] none gives '' */
	formatDay(date) {
		return date ? this.#day.format(date) : '';
	}

	/** Takes the server's zone; one that the browser doesn't know is ignored. @param {string | null} zone */
	setZone(zone) {
		if (!zone || zone === this.#zone) return;
		this.#zone = zone;
		try {
			this.#stored = makeStoredFormat(zone);
			this.emit('change');
		} catch {}
	}
}

/** The Swedish format is that of stored lines. @param {string} timeZone */
function makeStoredFormat(timeZone) {
	return new Intl.DateTimeFormat('sv', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
}

/** @param {string} time as stored */
function parseAsUtc(time) {
	return Date.parse(`${time.replace(' ', 'T')}Z`);
}

export const clock = new Clock();
