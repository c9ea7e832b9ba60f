import { byId, on } from '../lib/dom.js';

const scroller = byId('scroller');

// The arrow keys walk from message to message, so that each one's link can be reached without the
// Tab key passing through all of them.
on(scroller, 'keydown', (event) => {
	const step = { ArrowUp: -1, ArrowDown: 1 }[String(event.key)];
	const links = [...scroller.querySelectorAll('a.time')];
	const { bottom } = scroller.getBoundingClientRect();
	const index = links.indexOf(/** @type {Element} */ (event.target));
	const last = links.findLast((link) => link.getBoundingClientRect().bottom <= bottom);
	const next = index < 0 ? last : links[index + (step ?? 0)];
	if (!step || event.altKey || !(next instanceof HTMLElement)) return;
	event.preventDefault();
	next.focus({ preventScroll: true });
	next.closest('.row')?.scrollIntoView({ block: 'nearest' });
});
