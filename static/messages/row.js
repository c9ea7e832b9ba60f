import { make } from '../lib/dom.js';
import { clock } from '../model/clock.js';
import { getHue, identity } from '../model/identity.js';
import { parseLine } from '../model/line.js';
import { markerOf, renderMessage } from './text.js';

/**
 * @import { Line } from '../model/line.js'
 * @typedef {{ line: Line, element: HTMLElement, name: string, date?: Date, lastDate?: Date }} Row
 *   `lastDate`: the row's date, or that of the nearest row before it that has one
 */

/** Messages of one person within this time stand under one name. */
const GROUP_MS = 300_000;

/** @param {Line} line @returns {Row} */
export function makeRow(line) {
	const { time, name, message } = parseLine(line.text);
	const date = clock.parse(time);
	const attributes = { class: 'time', href: `#${line.start}`, tabindex: '-1' };
	const link = make('a', attributes, date ? renderTime(date, time) : '#');
	const element = renderRow(name, message, link);
	element.id = `at-${line.start}`;
	return { line, element, name, date, lastDate: date };
}

/** @param {Date} date @param {string} time as stored */
function renderTime(date, time) {
	const attributes = { datetime: date.toISOString(), title: `${time} as stored` };
	return make('time', attributes, clock.formatTime(date));
}

/**
 * Makes the element of a message.
 * @param {string} name @param {string} message as stored @param {HTMLElement} aside what stands
 *   beside the name
 */
export function renderRow(name, message, aside) {
	const marker = name === identity.name ? undefined : markerOf(identity.name, true);
	const text = make('div', { class: 'text', dir: 'auto' }, renderMessage(message, marker));
	const [initial] = new Intl.Segmenter().segment(name.toLocaleUpperCase());
	const disc = make('span', { class: 'disc', 'aria-hidden': 'true' }, initial?.segment ?? '');
	const label = make('bdi', { class: 'name' }, name);
	const element = make('div', { class: 'row' }, disc, label, aside, text);
	element.classList.toggle('bare', !name);
	element.classList.toggle('mentions', Boolean(text.querySelector('mark')));
	element.style.setProperty('--hue', String(getHue(name)));
	return element;
}

/**
 * Shows a row's name and day where they differ from those of the row before, and the divider.
 * @param {Row} row @param {Row | undefined} previous @param {boolean} isFirstNew
 */
export function groupRow(row, previous, isFirstNew) {
	const { element, name, date } = row;
	const before = previous?.lastDate;
	row.lastDate = date ?? before;
	const day = clock.formatDay(date);
	const isNewDay = day !== '' && day !== clock.formatDay(before);
	const isLater = Number(date) - Number(before) > GROUP_MS;
	const isOtherName = name !== '' && (previous?.name !== name || isLater);
	element.classList.toggle('head', isOtherName || isNewDay || isFirstNew);
	for (const rule of element.querySelectorAll('.rule')) rule.remove();
	if (isFirstNew) element.prepend(make('div', { class: 'rule divider' }, 'New'));
	if (isNewDay) element.prepend(make('div', { class: 'rule' }, day));
}
