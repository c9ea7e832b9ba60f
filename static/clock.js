import { memory } from './storage.js';

/**
 * Turns the times in a room's lines into the reader's own.
 *
 * A line holds the server's wall clock and not its zone (contract §3). The page takes it for UTC,
 * the zone of the image, until it has sent a message: then the `Date` of the answer (always GMT)
 * beside the time in the stored line tells the zone, and the browser remembers it.
 */
export class Clock extends EventTarget {
  #zoneMinutes = memory.get('zone', 0);
  #time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
  #day = new Intl.DateTimeFormat(undefined, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  });

  /**
   * @param {string} time as stored, `YYYY-MM-DD HH:MM:SS`
   * @returns {Date | undefined}
   */
  toDate(time) {
    const date = new Date(Date.parse(`${time.replace(' ', 'T')}Z`) - this.#zoneMinutes * 60_000);
    return Number.isNaN(date.valueOf()) ? undefined : date;
  }

  /** @param {Date} date */
  formatTime(date) {
    return this.#time.format(date);
  }

  /** @param {Date} date */
  formatDay(date) {
    return this.#day.format(date);
  }

  /**
   * Learns the server's zone; tells `change` when it is another than thought.
   * @param {string} stored the time in a line
   * @param {string | null} httpDate the `Date` of the answer that brought it
   */
  learn(stored, httpDate) {
    const elapsed = Date.parse(`${stored.replace(' ', 'T')}Z`) - Date.parse(httpDate ?? '');
    // Zones are whole quarters of an hour; the rest is the time between writing and answering.
    const zoneMinutes = Math.round(elapsed / 900_000) * 15;
    if (!Number.isFinite(zoneMinutes) || Math.abs(zoneMinutes) > 14 * 60) return;
    if (zoneMinutes === this.#zoneMinutes) return;
    this.#zoneMinutes = zoneMinutes;
    memory.set('zone', zoneMinutes);
    this.dispatchEvent(new Event('change'));
  }
}
