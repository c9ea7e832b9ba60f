import { byId, on, toast } from './lib/dom.js';
import './messages/keys.js';
import { pending } from './messages/pending.js';
import { rows } from './messages/rows.js';
import { unread } from './messages/unread.js';
import { messageWindow } from './messages/window.js';
import { clock } from './model/clock.js';
import { parseOffset } from './model/cursor.js';
import { identity } from './model/identity.js';
import { parseLine } from './model/line.js';
import { chatPath, room } from './model/room.js';
import { servers } from './model/servers.js';
import { visits } from './model/visits.js';
import { composer } from './panels/composer.js';
import './panels/finder.js';
import './panels/identity.js';
import { notifications } from './panels/notifications.js';
import { rooms } from './panels/rooms.js';
import { serversPanel } from './panels/servers.js';
import { connection } from './sync/connection.js';
import { log } from './sync/log.js';
import { outbox } from './sync/outbox.js';

/** The page of one room: it connects the parts, each of which knows only those below it. */

const scroller = byId('scroller');
const intro = byId('intro');
const status = byId('status');
const LABELS = {
	connecting: 'Connecting…',
	live: 'Live',
	polling: 'Polling',
	offline: 'No connection, retrying…',
};
const readBefore = visits.getRead();

/** Shows where the room begins, or that it is empty. */
function showIntro() {
	const isEmpty = !log.cursor.offset && !rows.unterminated;
	intro.dataset.state = isEmpty ? 'empty' : messageWindow.start === 0 ? 'begin' : 'middle';
	scroller.setAttribute('aria-busy', 'false');
}

/** Shows what is new since the last visit. */
function startReading() {
	const { epoch, offset } = log.cursor;
	if (readBefore?.epoch === epoch && readBefore.offset < offset) rows.divide(readBefore.offset);
	unread.update();
}

/** Announces what others wrote. @param {import('./model/line.js').Line[]} lines */
function announce(lines) {
	const others = lines.filter((line) => parseLine(line.text).name !== identity.name);
	unread.add(others);
	notifications.show(others);
}

function showStatus() {
	const { state, server, reason } = connection.status;
	status.dataset.state = state;
	status.textContent = reason || LABELS[state];
	servers.note('stream', server);
	if (!log.isOpen && state === 'offline') intro.dataset.state = 'failed';
}

/** Shows the message that the address leads to. */
async function goToAddress() {
	const offset = parseOffset(location.hash);
	if (offset === undefined) return;
	const element = await messageWindow.showLine(offset);
	for (const old of document.querySelectorAll('.target')) old.classList.remove('target');
	element?.classList.add('target');
	if (!element) toast('That message is not in this room, or not any more.');
}

/** Follows a link to a message within the page, and copies it. @param {MouseEvent} event */
async function followLink(event) {
	const link = event.target instanceof Element ? event.target.closest('a') : null;
	const isInPage = link?.href.split('#')[0] === location.href.split('#')[0];
	if (!link || !isInPage || parseOffset(link.hash) === undefined) return;
	if (event.ctrlKey || event.metaKey || event.shiftKey) return;
	event.preventDefault();
	history.pushState(null, '', link.hash);
	await goToAddress().catch(() => toast('That message can’t be read just now.'));
	if (!link.matches('.time')) return;
	const copying = navigator.clipboard?.writeText(link.href);
	copying?.then(() => toast('Link copied.')).catch(() => {});
}

/** Opens or closes the side on a small screen. @param {boolean} isOpen */
function openSide(isOpen) {
	document.body.classList.toggle('side-open', isOpen);
	byId('menu').setAttribute('aria-expanded', String(isOpen));
}

function rebuildRows() {
	const { scrollTop } = scroller;
	rows.rebuild();
	scroller.scrollTop = scrollTop;
}

function nameRoom() {
	document.title = room;
	for (const element of document.querySelectorAll('.room-name')) element.textContent = room;
	const save = byId('save', HTMLAnchorElement);
	save.href = chatPath();
	save.download = `${room}.txt`;
}

intro.dataset.state = 'opening';
visits.enter();
nameRoom();
on(messageWindow, 'change', showIntro);
log.addEventListener('open', startReading, { once: true });
on(log, 'lines', ({ detail }) => announce(detail.lines));
on(log, 'gap', ({ detail: { range, from } }) => {
	announce(range.lines.filter((/** @type {{ start: number }} */ line) => line.start >= from));
});
on(pending, 'edit', ({ detail }) => composer.takeBack(detail));
on(composer, 'send', async ({ detail: message }) => {
	outbox.add(identity.name, message);
	rows.divide();
	await messageWindow.showLatest();
});
on(byId('menu'), 'click', () => openSide(true));
on(byId('shade'), 'click', () => openSide(false));
on(window, 'keydown', (event) => event.key === 'Escape' && openSide(false));
on(window, 'popstate', () => goToAddress().catch(() => {}));
on(document, 'click', followLink);
on(connection, 'change', showStatus);
on(clock, 'change', rebuildRows);
on(identity, 'change', () => {
	rebuildRows();
	if (document.hasFocus()) composer.focus();
});
showStatus();

if (matchMedia('(hover: hover)').matches) byId(identity.name ? 'message' : 'name').focus();
await goToAddress().catch(() => {});
connection.start();
void serversPanel.findPageServer();
void rooms.watch();
