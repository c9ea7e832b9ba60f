import { offsetOf, pagePath, roomOf, textPath } from './address.js';
import { Clock } from './clock.js';
import { Composer, Identity } from './composer.js';
import { Connection } from './connection.js';
import { byId, toast } from './dom.js';
import { Finder } from './finder.js';
import { walkMessages } from './keys.js';
import { parseLine } from './line.js';
import { RoomLog } from './log.js';
import { Notifier } from './notify.js';
import { Outbox } from './outbox.js';
import { RoomReader } from './reader.js';
import { Rooms } from './rooms.js';
import { RowMaker } from './row.js';
import { RowList } from './rows.js';
import { Scroll } from './scroll.js';
import { Servers } from './servers.js';
import { Unread } from './unread.js';
import { RoomView } from './view.js';

/** The page of one room: makes its parts and introduces them to each other. */

const room = roomOf(location.pathname);
const scroller = byId('scroller', HTMLElement);
const intro = byId('intro', HTMLElement);
const status = byId('status', HTMLElement);
const labels = {
  connecting: 'Connecting…',
  live: 'Live',
  polling: 'Polling',
  offline: 'No connection, retrying…',
};

const clock = new Clock();
const identity = new Identity();
const servers = new Servers();
const rooms = new Rooms(room);
const reader = new RoomReader(room, (server) => servers.note('text', server));
const maker = new RowMaker(room, clock, () => identity.name);
const rows = new RowList(byId('rows', HTMLElement), maker);
const scroll = new Scroll(scroller, byId('content', HTMLElement));
const view = new RoomView({ reader, rows, scroll, changed: showBounds });
const log = new RoomLog({ reader, view, arrived });
const connection = new Connection(room, log);
const unread = new Unread(
  { title: room, log, rows, view, scroll, saved: () => rooms.save(log.cursor) },
  rooms.enter()?.offset,
);
const notifier = new Notifier(room);
const composer = new Composer(room, send);
const outbox = new Outbox({
  room,
  place: byId('pending', HTMLElement),
  log,
  reader,
  maker,
  clock,
  heard: (server) => servers.note('post', server),
  takeBack: (message) => composer.takeBack(message),
});
new Finder(reader, log);

/** @param {string} message */
function send(message) {
  if (!identity.name) return false;
  outbox.add(identity.name, message);
  rows.divide(undefined);
  const atTail = view.isAtTail ? Promise.resolve() : log.openTail();
  atTail.catch(() => {}).then(() => scroll.toBottom());
  return true;
}

/**
 * @param {import('./line.js').Line[]} lines
 * @param {string} epoch
 * @param {boolean} fromTab
 */
function arrived(lines, epoch, fromTab) {
  if (!fromTab) connection.pass(epoch, lines);
  outbox.settle(lines);
  const others = lines.filter((line) => parseLine(line.text).name !== identity.name);
  unread.add(others);
  notifier.tell(others);
  showBounds();
}

/** Says where the room begins, and that it is empty when it is. */
function showBounds() {
  if (!log.isOpen) return;
  const isEmpty = log.cursor.offset === 0 && !rows.hasStump;
  intro.dataset.state = isEmpty ? 'empty' : view.from === 0 ? 'begin' : 'middle';
  scroller.setAttribute('aria-busy', 'false');
  if (isOpened) return;
  isOpened = true;
  unread.open();
  void outbox.restore();
}
let isOpened = false;

function showStatus() {
  const { state, server, reason } = connection.status;
  status.dataset.state = state;
  status.textContent = reason || labels[state];
  servers.note('stream', server);
  if (!log.isOpen && state === 'offline') intro.dataset.state = 'failed';
}

/** Shows the message the address leads to. */
async function goToAddress() {
  const offset = offsetOf(location.hash);
  if (offset === undefined) return;
  const start = rows.find(offset)?.line.start ?? (await log.openAt(offset));
  const row = start === undefined ? undefined : rows.find(start);
  for (const old of document.querySelectorAll('.target')) old.classList.remove('target');
  if (!row) return toast('That message is not in this room, or not any more.');
  row.element.classList.add('target');
  scroll.toElement(row.element);
}

/** @param {MouseEvent} event */
async function follow(event) {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const offset = offsetOf(link?.hash ?? '');
  const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
  if (!link || offset === undefined || !isPlain) return;
  event.preventDefault();
  history.pushState(null, '', pagePath(room, offset));
  await goToAddress().catch(() => toast('That message can’t be read just now.'));
  if (!link.matches('.time')) return;
  const isCopied = await navigator.clipboard?.writeText(link.href).then(
    () => true,
    () => false,
  );
  toast(isCopied ? 'Link to this message copied.' : 'The link to this message is in the address.');
}

/** @param {boolean} isOpen */
function openSide(isOpen) {
  document.body.classList.toggle('side-open', isOpen);
  byId('menu', HTMLButtonElement).setAttribute('aria-expanded', String(isOpen));
}

function rebuild() {
  const { scrollTop } = scroller;
  rows.rebuild();
  if (scroll.isStuck) scroll.toBottom();
  else scroller.scrollTop = scrollTop;
}

document.title = room;
for (const place of document.querySelectorAll('.room-name')) place.textContent = room;
const save = byId('save', HTMLAnchorElement);
save.href = textPath(room);
save.download = `${room}.txt`;
byId('menu', HTMLButtonElement).addEventListener('click', () => {
  openSide(!document.body.classList.contains('side-open'));
});
byId('shade', HTMLElement).addEventListener('click', () => openSide(false));
addEventListener('keydown', (event) => event.key === 'Escape' && openSide(false));
addEventListener('popstate', () => goToAddress().catch(() => {}));
document.addEventListener('click', follow);
walkMessages(scroller);
connection.addEventListener('change', showStatus);
clock.addEventListener('change', rebuild);
identity.addEventListener('change', () => {
  rebuild();
  composer.focus();
});
showStatus();

await goToAddress().catch(() => {});
connection.start();
void servers.lookUpPage();
void rooms.watch();
