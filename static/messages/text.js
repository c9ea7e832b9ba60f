import { make } from '../lib/dom.js';

/** What a message looks like: its links, its line breaks, and what is marked. */

// No bidi control is part of a link: it could show another address.
const LINK = /\bhttps?:\/\/[^\s<>"“”«»`↵\p{Cc}\p{Cf}]+/giu;

/** @param {string} message as stored @param {RegExp} [marker] what to mark */
export function renderMessage(message, marker) {
	const fragment = document.createDocumentFragment();
	let end = 0;
	for (const match of message.matchAll(LINK)) {
		const href = trimLink(match[0]);
		if (!URL.canParse(href)) continue;
		appendPlain(fragment, message.slice(end, match.index), marker);
		const rel = 'noopener noreferrer nofollow';
		fragment.append(make('a', { href, rel, target: '_blank', dir: 'ltr' }, href));
		end = match.index + href.length;
	}
	appendPlain(fragment, message.slice(end), marker);
	return fragment;
}

/** Finds some words, or a name: as a word of its own. @param {string} words @param {boolean} isName */
export function markerOf(words, isName) {
	const literal = words.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
	const source = isName ? `(?<![\\p{L}\\p{N}_])@?${literal}(?![\\p{L}\\p{N}_])` : literal;
	return words ? new RegExp(source, 'giu') : undefined;
}

/** Leaves a sentence's punctuation out, and brackets that no link opened. @param {string} link @returns {string} */
function trimLink(link) {
	const last = link.at(-1) ?? '';
	const open = { ')': '(', ']': '[', '}': '{' }[last];
	const isUnmatched = open && link.split(open).length < link.split(last).length;
	return isUnmatched || /[.,;:!?'’*_]/.test(last) ? trimLink(link.slice(0, -1)) : link;
}

/** @param {DocumentFragment} fragment @param {string} text @param {RegExp} [marker] */
function appendPlain(fragment, text, marker) {
	for (const [number, part] of text.split('↵').entries()) {
		if (number) fragment.append(make('br', {}));
		let end = 0;
		for (const match of marker ? part.matchAll(marker) : []) {
			fragment.append(part.slice(end, match.index), make('mark', {}, match[0]));
			end = match.index + match[0].length;
		}
		fragment.append(part.slice(end));
	}
}
