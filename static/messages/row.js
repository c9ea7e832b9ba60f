import { make } from '../lib/dom.js';
import { clock } from '../model/clock.js';
import { getHue, identity } from '../model/identity.js';
import { splitLetters } from '../model/letters.js';
import { LONG_LINE, parseLine } from '../model/line.js';
import { findMentions, renderMessage } from './text.js';

/**
 * @import { Line } from '../model/line.js'
 * @typedef {{ line: Line, element: HTMLElement, name: string, date?: Date, lastDate?: Date }} Row
 *   `lastDate`: the row's date, or that of the nearest row before it that has one
 */

/** Messages of one person within this time stand under one name. */
const GROUP_MS = 300_000;

/**
 * Makes the row of a line. Where that fails it is the bare text: one line never empties the page.
 * @param {Line} line @returns {Row}
 */
export function makeRow(line) {
	const { text } = line;
	const row = tryMakeRow(line) ?? {
		line,
		name: '',
		element: make('div', { class: 'row bare' }, make('div', { class: 'text', dir: 'auto' }, text)),
	};
	row.element.id = `at-${line.start}`;
	row.element.classList.toggle('long', text === LONG_LINE);
	return row;
}

/** @param {Line} line @returns {Row | undefined} */
function tryMakeRow(line) {
	try {
		const { time, name, message } = parseLine(line.text);
		const date = clock.parse(time);
		const attributes = { class: 'time', href: `#${line.start}`, tabindex: '-1' };
		const link = make('a', attributes, date ? renderTime(date, time) : '#');
		return { line, element: renderRow(name, message, link), name, date, lastDate: date };
	} catch (error) {
		console.error(error);
		return undefined;
	}
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
	const mentioned = name === identity.name ? '' : identity.name;
	const rendered = renderMessage(message, (part) => findMentions(part, mentioned));
	const text = make('div', { class: 'text', dir: 'auto' }, rendered);
	const [initial = ''] = splitLetters(name.toLocaleUpperCase());
	const disc = make('span', { class: 'disc', 'aria-hidden': 'true' }, initial);
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
