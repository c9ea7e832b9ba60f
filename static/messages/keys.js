import { bisect } from '../lib/bisect.js';
import { byId, on } from '../lib/dom.js';

/** @type {Record<string, number>} */
const STEPS = { ArrowUp: -1, ArrowDown: 1 };
const scroller = byId('scroller');

// The arrow keys walk from message to message, so that each one's link can be reached without the
// Tab key passing through all of them.
on(scroller, 'keydown', (event) => {
	const step = STEPS[event.key];
	if (!step || event.altKey) return;
	const links = /** @type {HTMLElement[]} */ ([...scroller.querySelectorAll('a.time')]);
	const index = links.indexOf(event.target);
	const next = index < 0 ? findLastInSight(links) : links[index + step];
	if (!next) return;
	event.preventDefault();
	next.focus({ preventScroll: true });
	next.closest('.row')?.scrollIntoView({ block: 'nearest' });
});

/** @param {HTMLElement[]} links from top to bottom */
function findLastInSight(links) {
	const { bottom } = scroller.getBoundingClientRect();
	return links[bisect(links, (link) => link.getBoundingClientRect().bottom > bottom) - 1];
}
