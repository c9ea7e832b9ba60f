import { offsetOf, room, textPath } from './address.js';
import { clock } from './clock.js';
import { composer } from './composer.js';
import { connection } from './connection.js';
import { byId, toast } from './dom.js';
import './finder.js';
import { identity } from './identity.js';
import { walkMessages } from './keys.js';
import { parseLine } from './line.js';
import { log } from './log.js';
import { notifier } from './notify.js';
import { outbox } from './outbox.js';
import { rooms } from './rooms.js';
import { rows } from './rows.js';
import { scroll } from './scroll.js';
import { servers } from './servers.js';
import { unread } from './unread.js';
import { view } from './view.js';

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

log.arrived = (lines, epoch, fromTab) => {
  if (!fromTab) connection.pass(epoch, lines);
  outbox.settle(lines);
  const others = lines.filter((line) => parseLine(line.text).name !== identity.name);
  unread.add(others);
  notifier.tell(others);
  view.changed();
};

// Says where the room begins, and that it is empty where it is.
view.changed = () => {
  const isEmpty = !log.cursor.offset && !rows.hasStump;
  intro.dataset.state = isEmpty ? 'empty' : view.from === 0 ? 'begin' : 'middle';
  scroller.setAttribute('aria-busy', 'false');
  if (isOpened) return;
  isOpened = true;
  unread.open(readBefore?.epoch === log.cursor.epoch ? readBefore.offset : 0);
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
  const start = rows.find(offset)?.line.start ?? (await log.openAt(offset));
  const row = rows.find(start ?? -1);
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
  const copying = navigator.clipboard?.writeText(link.href) ?? Promise.reject();
  copying.then(
    () => toast('Link to this message copied.'),
    () => toast('The link to this message is in the address.'),
  );
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
byId('menu').addEventListener('click', () => {
  openSide(!document.body.classList.contains('side-open'));
});
byId('shade').addEventListener('click', () => openSide(false));
addEventListener('keydown', (event) => event.key === 'Escape' && openSide(false));
addEventListener('popstate', () => goToAddress().catch(() => {}));
document.addEventListener('click', follow);
connection.addEventListener('change', showStatus);
clock.addEventListener('change', rebuild);
identity.addEventListener('change', () => {
  rebuild();
  composer.focus();
});
walkMessages(scroller);
showStatus();

await goToAddress().catch(() => {});
connection.start();
void servers.lookUpPage();
void rooms.watch();
