import { make } from '../lib/dom.js';

// A link ends at white space, at a quote or bracket but for those that addresses have, and at what
// ends a sentence in other scripts. No bidi control is part of it: it could show another address.
const LINK =
	/https?:\/\/(?:[^\s<>"`↵\p{Cc}\p{Cf}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{QMark}\p{Term}]|[[\](){}'!,.:;?])+/giu;
/** What may stand at the end of a link, and more often belongs to the sentence around it. */
const TRAILING = /[.,;:!?'*_~…]$/;

/** @typedef {import('../model/search.js').Span} Span */

/**
 * Renders a message: its links, its line breaks, and what is marked.
 * @param {string} message as stored
 * @param {(text: string) => Span[]} findMarks what to mark in a part that is no link
 */
export function renderMessage(message, findMarks) {
	const fragment = document.createDocumentFragment();
	let end = 0;
	for (const match of message.matchAll(LINK)) {
		const href = trimLink(match[0]);
		const isInWord = /[a-z\d]/i.test(message[match.index - 1] ?? '');
		if (isInWord || !isAddress(href)) continue;
		appendPlain(fragment, message.slice(end, match.index), findMarks);
		const rel = 'noopener noreferrer nofollow';
		fragment.append(make('a', { href, rel, target: '_blank', dir: 'ltr' }, href));
		end = match.index + href.length;
	}
	appendPlain(fragment, message.slice(end), findMarks);
	return fragment;
}

/**
 * Finds a name where it stands as a word of its own.
 * @param {string} text @param {string} name '' is found nowhere
 * @returns {Span[]}
 */
export function findMentions(text, name) {
	if (!name) return [];
	const literal = name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
	const matches = text.matchAll(new RegExp(`@?${literal}(?![\\p{L}\\p{N}_])`, 'giu'));
	return [...matches]
		.filter(({ index }) => !/[\p{L}\p{N}_]$/u.test(text.slice(Math.max(0, index - 2), index)))
		.map(({ 0: found, index }) => ({ start: index, end: index + found.length }));
}

/** Leaves out a sentence's punctuation, and brackets that the link doesn't open. @param {string} link */
function trimLink(link) {
	const count = (/** @type {string} */ character) => link.split(character).length;
	/** How many of each closing bracket are not opened. @type {Record<string, number>} */
	const excess = {
		')': count(')') - count('('),
		']': count(']') - count('['),
		'}': count('}') - count('{'),
	};
	let end = link.length;
	for (; ; end -= 1) {
		const last = link[end - 1] ?? '';
		const unopened = excess[last] ?? 0;
		if (unopened > 0) excess[last] = unopened - 1;
		else if (!TRAILING.test(last)) return link.slice(0, end);
	}
}

/** @param {string} href */
function isAddress(href) {
	try {
		return Boolean(new URL(href).hostname);
	} catch {
		return false;
	}
}

/**
 * Appends a text without links: its line breaks, and what is marked.
 * @param {ParentNode} parent @param {string} text @param {(text: string) => Span[]} findMarks
 */
export function appendPlain(parent, text, findMarks) {
	for (const [number, part] of text.split('↵').entries()) {
		if (number) parent.append(make('br', {}));
		let done = 0;
		for (const { start, end } of findMarks(part)) {
			parent.append(part.slice(done, start), make('mark', {}, part.slice(start, end)));
			done = end;
		}
		parent.append(part.slice(done));
	}
}
