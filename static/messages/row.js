import { make } from '../lib/dom.js';
import { clock } from '../model/clock.js';
import { hueOf, parseLine } from '../model/line.js';
import { identity } from '../panels/identity.js';
import { markerOf, renderMessage } from './text.js';

/**
 * @import { Line } from '../model/line.js'
 * @typedef {{ line: Line, element: HTMLElement, name: string, date?: Date, lastDate?: Date }} Row
 *   `lastDate`: its own or the nearest before
 */

/** So near each other, lines of one person stand under one name. */
const GROUP_MS = 300_000;

/** @param {Line} line @returns {Row} */
export function makeRow(line) {
	const { time, name, message } = parseLine(line.text);
	const date = clock.toDate(time);
	const attributes = { class: 'time', href: `#${line.start}`, tabindex: '-1' };
	const link = make('a', attributes, date ? clock.render(date, time) : '#');
	const element = makeElement(name, message, link);
	element.id = `at-${line.start}`;
	return { line, element, name, date, lastDate: date };
}

/** What a message looks like. @param {string} name @param {string} message @param {HTMLElement} aside */
export function makeElement(name, message, aside) {
	const marker = name === identity.name ? undefined : markerOf(identity.name, true);
	const text = make('div', { class: 'text', dir: 'auto' }, renderMessage(message, marker));
	const [initial] = new Intl.Segmenter().segment(name.toLocaleUpperCase());
	const disc = make('span', { class: 'disc', 'aria-hidden': 'true' }, initial?.segment ?? '');
	const label = make('bdi', { class: 'name' }, name);
	const element = make('div', { class: 'row' }, disc, label, aside, text);
	element.classList.toggle('bare', !name);
	element.classList.toggle('mentions', Boolean(text.querySelector('mark')));
	element.style.setProperty('--hue', String(hueOf(name)));
	return element;
}

/**
 * Gives a row its name and its day where they differ from the row before, and says what is new.
 * @param {Row} row @param {Row | undefined} previous @param {boolean} isFirstNew
 */
export function joinRow(row, previous, isFirstNew) {
	const { element, name, date } = row;
	const before = previous?.lastDate;
	row.lastDate = date ?? before;
	const day = clock.dayOf(date);
	const isNewDay = day !== '' && day !== clock.dayOf(before);
	const isFar = Number(date) - Number(before) > GROUP_MS;
	const isOther = name !== '' && (previous?.name !== name || isFar);
	element.classList.toggle('head', isOther || isNewDay || isFirstNew);
	for (const rule of element.querySelectorAll('.rule')) rule.remove();
	if (isFirstNew) element.prepend(make('div', { class: 'rule divider' }, 'New'));
	if (isNewDay) element.prepend(make('div', { class: 'rule' }, day));
}
