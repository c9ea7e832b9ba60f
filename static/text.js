import { make } from './dom.js';

/** What a message looks like: its links, its line breaks and the names it mentions. */

// No bidi control in a link: it could show an address that is not the one it leads to.
const LINK = /\bhttps?:\/\/[^\s<>"“”«»`↵\p{Cc}\p{Cf}]+/giu;

/**
 * @param {string} message as stored
 * @param {RegExp | undefined} mention from mentionOf
 * @returns {DocumentFragment}
 */
export function renderMessage(message, mention) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of message.matchAll(LINK)) {
    const link = trimLink(match[0]);
    if (!isWebAddress(link)) continue;
    appendPlain(fragment, message.slice(end, match.index), mention);
    const attributes = { href: link, rel: 'noopener noreferrer nofollow', target: '_blank' };
    fragment.append(make('a', { ...attributes, dir: 'ltr' }, link));
    end = match.index + link.length;
  }
  appendPlain(fragment, message.slice(end), mention);
  return fragment;
}

/**
 * Finds a name in messages, as a word of its own, with or without `@`.
 * @param {string} name
 * @returns {RegExp | undefined} nothing for nobody's name
 */
export function mentionOf(name) {
  if (!name) return undefined;
  const literal = name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}_])@?${literal}(?![\\p{L}\\p{N}_])`, 'giu');
}

/**
 * A sentence's punctuation after a link isn't the link's, and a bracket only where it opened one.
 * @param {string} link
 */
function trimLink(link) {
  let trimmed = link;
  for (;;) {
    const last = trimmed.at(-1) ?? '';
    const open = { ')': '(', ']': '[', '}': '{' }[last];
    const isUnmatched = open && trimmed.split(open).length < trimmed.split(last).length;
    if (!isUnmatched && !/[.,;:!?'’*_]/.test(last)) return trimmed;
    trimmed = trimmed.slice(0, -1);
  }
}

/** @param {string} link */
function isWebAddress(link) {
  const url = URL.canParse(link) ? new URL(link) : undefined;
  return url?.protocol === 'https:' || url?.protocol === 'http:';
}

/**
 * @param {DocumentFragment} fragment
 * @param {string} text
 * @param {RegExp | undefined} mention
 */
function appendPlain(fragment, text, mention) {
  for (const [number, part] of text.split('↵').entries()) {
    if (number) fragment.append(make('br'));
    let end = 0;
    for (const match of mention ? part.matchAll(mention) : []) {
      fragment.append(part.slice(end, match.index), make('mark', {}, match[0]));
      end = match.index + match[0].length;
    }
    fragment.append(part.slice(end));
  }
}
