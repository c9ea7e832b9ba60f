import { byId, on, toast } from './lib/dom.js';
import { offsetOf, room, textPath } from './model/address.js';
import { clock } from './model/clock.js';
import { composer } from './panels/composer.js';
import { connection } from './sync/connection.js';
import './panels/finder.js';
import { identity } from './panels/identity.js';
import './messages/keys.js';
import { rows } from './messages/rows.js';
import { scroll } from './messages/scroll.js';
import { unread } from './messages/unread.js';
import { view } from './messages/view.js';
import { parseLine } from './model/line.js';
import { notifier } from './panels/notify.js';
import { rooms } from './panels/rooms.js';
import { servers } from './panels/servers.js';
import { log } from './sync/log.js';
import { outbox } from './sync/outbox.js';

/** The page of one room: introduces its parts to each other. */

const scroller = byId('scroller');
const intro = byId('intro');
const status = byId('status');
const readBefore = rooms.enter();
const LABELS = {
	connecting: 'Connecting…',
	live: 'Live',
	polling: 'Polling',
	offline: 'No connection, retrying…',
};
let isOpened = false;

outbox.takeBack = (message) => composer.takeBack(message);

composer.send = async (message) => {
	outbox.add(identity.name, message);
	rows.divide();
	if (!view.isAtTail) await log.openTail().catch(() => {});
	scroll.toBottom();
};

log.arrived = (lines, fromTab) => {
	if (!fromTab) connection.tabs.say({ epoch: log.cursor.epoch, lines });
	outbox.settle(lines);
	const others = lines.filter((line) => parseLine(line.text).name !== identity.name);
	unread.add(others);
	notifier.tell(others);
	view.changed();
};

// Says where the room begins, and that it is empty where it is.
view.changed = () => {
	const isEmpty = !log.cursor.offset && !rows.stump;
	intro.dataset.state = isEmpty ? 'empty' : view.from === 0 ? 'begin' : 'middle';
	scroller.setAttribute('aria-busy', 'false');
	if (isOpened) return;
	isOpened = true;
	const { epoch, offset } = log.cursor;
	if (readBefore?.epoch === epoch && readBefore.offset < offset) rows.divide(readBefore.offset);
	unread.look();
	void outbox.restore();
};

function showStatus() {
	const { state, server, reason } = connection.status;
	status.dataset.state = state;
	status.textContent = reason || LABELS[state];
	servers.note('stream', server);
	if (!log.isOpen && state === 'offline') intro.dataset.state = 'failed';
}

/** Shows the message the address leads to. */
async function goToAddress() {
	const offset = offsetOf(location.hash);
	if (offset === undefined) return;
	if (!rows.find(offset)) await log.openAt(offset);
	const row = rows.find(offset);
	for (const old of document.querySelectorAll('.target')) old.classList.remove('target');
	if (!row) return toast('That message is not in this room, or not any more.');
	row.element.classList.add('target');
	scroll.toElement(row.element);
}

/** Goes to messages without leaving; copies the links at them. @param {MouseEvent} event */
async function follow(event) {
	const link = event.target instanceof Element ? event.target.closest('a') : null;
	if (!link || offsetOf(link.hash) === undefined) return;
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

function rebuild() {
	const { scrollTop } = scroller;
	rows.rebuild();
	scroller.scrollTop = scrollTop;
}

document.title = room;
for (const place of document.querySelectorAll('.room-name')) place.textContent = room;
const save = byId('save', HTMLAnchorElement);
save.href = textPath();
save.download = `${room}.txt`;
on(byId('menu'), 'click', () => openSide(true));
on(byId('shade'), 'click', () => openSide(false));
on(window, 'keydown', (event) => event.key === 'Escape' && openSide(false));
on(window, 'popstate', () => goToAddress().catch(() => {}));
on(document, 'click', follow);
on(connection, 'change', showStatus);
on(clock, 'change', rebuild);
on(identity, 'change', () => {
	rebuild();
	composer.focus();
});
showStatus();

if (matchMedia('(hover: hover)').matches) byId(identity.name ? 'message' : 'name').focus();
await goToAddress().catch(() => {});
connection.start();
void servers.lookUpPage();
void rooms.watch();
