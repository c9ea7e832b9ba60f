// What people do with the page: talk in rooms, on whichever server, and with another front end.
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { post } from '../support/http.ts';
import { need } from '../support/need.ts';
import { makeTempFolder, projectFolder } from '../support/paths.ts';
import { type Server, type ServerOptions, startServer, waitUntil } from '../support/server.ts';
import {
  launchBrowser,
  openAs,
  readFile,
  readPending,
  readRows,
  say,
  visit,
  waitForState,
  waitForText,
} from './browser.ts';

const skip = need('chromium');
let browser: Browser;

before(async () => {
  if (!skip) browser = await launchBrowser();
});
after(() => browser?.close());

async function serve(t: TestContext, options: ServerOptions = {}): Promise<Server> {
  const server = await startServer(options);
  t.after(() => server.kill());
  return server;
}

test('two people talk in two rooms on two servers over one folder', { skip }, async (t) => {
  const one = await serve(t, { env: { CHAT_SERVER_NAME: 'one' } });
  const two = await serve(t, { store: one.store, env: { CHAT_SERVER_NAME: 'two' } });
  const seats = [
    { server: one, name: 'omri' },
    { server: two, name: 'dana' },
  ];
  const rooms = ['tea', 'coffee & cake'];
  const people = await Promise.all(
    seats.map(async ({ server, name }) => {
      const first = await openAs(browser, `${server.url}/${rooms[0]}`, { name });
      const page = await first.page.context().newPage();
      await visit(page, `${server.url}/${encodeURIComponent(rooms[1]!)}`);
      return { name, pages: [first.page, page], faults: first.faults };
    }),
  );
  for (const [number, room] of rooms.entries()) {
    for (const { pages } of people) await waitForState(pages[number]!, 'live');
    for (const { pages, name } of people) {
      await say(pages[number]!, `${name} in ${room}`);
      for (const other of people) await waitForText(other.pages[number]!, `${name} in ${room}`);
    }
  }
  for (const { pages, faults } of people) {
    for (const [number, room] of rooms.entries()) {
      const shown = (await readRows(pages[number]!)).map(({ message }) => message);
      assert.deepEqual(shown, [`omri in ${room}`, `dana in ${room}`]);
    }
    assert.deepEqual(faults, []);
  }
  const panel = await people[1]!.pages[0]!.locator('#servers').innerText();
  assert.match(panel, /This page\s+two .+Live stream\s+two .+Last message\s+two /s);
});

// What such a client does, by issue and contract: jQuery, a poll of the whole room every 1.5 s that
// is set only after a success, a serialized form, and the room from what follows the last slash.
const handedOut = `
const room = location.pathname.slice(location.pathname.lastIndexOf('/') + 1) || 'general';
function poll() {
  $.get('/api/chat/' + room).done((text) => {
    $('#chat').text(text);
    setTimeout(poll, 1500);
  });
}
$(() => {
  $('form').on('submit', (event) => {
    event.preventDefault();
    $.post('/api/chat/' + room, $('form').serialize());
    $('[name=msg]').val('');
  });
  poll();
});`;

test('a client like the handed-out one talks with the page, and never freezes', {
  skip,
}, async (t) => {
  const frontEnd = makeTempFolder('front');
  cpSync(
    join(projectFolder, 'node_modules', 'jquery', 'dist', 'jquery.min.js'),
    join(frontEnd, 'jquery.js'),
  );
  writeFileSync(join(frontEnd, 'client.js'), handedOut);
  writeFileSync(
    join(frontEnd, 'index.html'),
    `<!doctype html><title>chat</title><script src="/static/jquery.js"></script>
<script src="/static/client.js"></script>
<pre id="chat"></pre><form><input name="username"><input name="msg"><button>Send</button></form>`,
  );
  const theirs = await serve(t, { env: { CHAT_STATIC: frontEnd } });
  const ours = await serve(t, { store: theirs.store });
  const room = 'שיחה / 100%';
  const address = encodeURIComponent(room);
  const { page: client, faults } = await openAs(browser, `${theirs.url}/${address}`);
  const { page } = await openAs(browser, `${ours.url}/${address}`, { name: 'dana' });
  await waitForState(page, 'live');
  assert.equal(await page.locator('h1').textContent(), room);
  await client.locator('[name=username]').fill('omri');
  await client.locator('[name=msg]').fill('שלום & hi = 100% + more');
  await client.getByText('Send').click();
  await waitForText(page, 'שלום & hi = 100% + more');
  await say(page, 'hello there');
  await client.getByText('dana: hello there').waitFor();
  await say(page, 'still here?');
  await client.getByText('dana: still here?').waitFor();
  assert.deepEqual(faults, []);
});

test('the page asks for a name once, in the page itself', { skip }, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser, `${server.url}/`);
  assert.equal(await page.locator('#composer').isVisible(), false);
  // The field is ready to be written in.
  await page.locator('#name:focus').waitFor();
  await page.keyboard.type('me: you');
  await page.keyboard.press('Enter');
  assert.match(await page.locator('#name-fault').innerText(), /: /);
  await page.locator('#name').fill('\u3164\u200b');
  await page.locator('#name').press('Enter');
  assert.match(await page.locator('#name-fault').innerText(), /shows/);
  await page.locator('#name').fill('  omri ');
  await page.locator('#name').press('Enter');
  await say(page, 'hi everybody!');
  await waitForText(page, 'hi everybody!');
  assert.deepEqual(await readRows(page), [{ start: 0, name: 'omri', message: 'hi everybody!' }]);
  await page.reload();
  await page.locator('#message').waitFor();
  assert.equal(await page.locator('#me').innerText(), 'omri');
});

test('Enter sends, Shift+Enter breaks the line, and Enter in an input method does neither', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser, `${server.url}/keys`, { name: 'omri' });
  await waitForState(page, 'live');
  await page.locator('#message').focus();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Input.imeSetComposition', {
    text: 'にほん',
    selectionStart: 3,
    selectionEnd: 3,
  });
  await page.locator('#message').dispatchEvent('keydown', { key: 'Enter', isComposing: true });
  await page.locator('#message').dispatchEvent('keydown', { key: 'Enter', keyCode: 229 });
  assert.equal(await page.locator('#message').inputValue(), 'にほん');
  assert.deepEqual(await readPending(page), []);
  await devtools.send('Input.insertText', { text: '日本' });
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await page.locator('#rows .text br').waitFor({ state: 'attached' });
  assert.equal(await page.locator('#rows .text').innerText(), '日本\ntwo');
  assert.deepEqual(
    readFile(server.store, 'keys').map(({ message }) => message),
    ['日本↵two'],
  );
});

test('on a phone Enter breaks the line, and the button sends', { skip }, async (t) => {
  const server = await serve(t);
  const phone = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true };
  const { page } = await openAs(browser, `${server.url}/phone`, { name: 'omri', ...phone });
  await waitForState(page, 'live');
  await page.locator('#message').tap();
  await page.keyboard.type('one');
  await page.keyboard.press('Enter');
  await page.keyboard.type('two');
  await page.getByRole('button', { name: 'Send' }).tap();
  await page.locator('#rows .text br').waitFor({ state: 'attached' });
  assert.deepEqual(
    readFile(server.store, 'phone').map(({ message }) => message),
    ['one↵two'],
  );
});

test('each room keeps its draft through a reload, and counts near the limit', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser, `${server.url}/one`, { name: 'omri' });
  await page.locator('#message').fill('half a thought');
  await visit(page, `${server.url}/two`);
  await page.locator('#message').waitFor();
  assert.equal(await page.locator('#message').inputValue(), '');
  await visit(page, `${server.url}/one`);
  await page.locator('#message').waitFor();
  assert.equal(await page.locator('#message').inputValue(), 'half a thought');
  await page.locator('#message').fill('😀'.repeat(3999));
  assert.equal(await page.locator('#counter').innerText(), '1 left');
  await page.locator('#message').fill('😀'.repeat(4001));
  assert.equal(await page.locator('#counter').innerText(), '1 too many');
  await page.locator('#message').press('Enter');
  assert.deepEqual(await readPending(page), []);
  await say(page, '😀'.repeat(4000));
  await waitForText(page, '😀'.repeat(4000));
});

test('a message that shows nothing is not sent, and one is sent without its last line breaks', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser, `${server.url}/blank`, { name: 'omri' });
  await waitForState(page, 'live');
  for (const blank of ['\u200b', ' \u3164\n\u2800', '\u00ad\u{e0041}']) {
    await say(page, blank);
    assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled());
    assert.equal(await page.locator('#message').inputValue(), blank);
  }
  await say(page, '\n\u200bwords\n\n');
  await waitForText(page, 'words');
  await page.locator('#pending .pending').waitFor({ state: 'detached' });
  const [line, ...others] = readFile(server.store, 'blank');
  assert.equal(line!.message, '\u200bwords');
  assert.deepEqual(others, []);
});

test('a message that the server refuses keeps its text and says why', { skip }, async (t) => {
  const server = await serve(t);
  // No browser's own page can send such a name; a fault in ours must still show.
  const { page } = await openAs(browser, `${server.url}/no`, { name: 'a: b' });
  await waitForState(page, 'live');
  await say(page, 'precious words');
  const failed = page.locator('#pending .failed');
  await failed.waitFor();
  assert.match(await failed.locator('.reason').innerText(), /^Not sent\. .*username/);
  await page.getByRole('button', { name: 'Edit' }).click();
  assert.equal(await page.locator('#message').inputValue(), 'precious words');
  assert.deepEqual(readFile(server.store, 'no'), []);
});

test('links, mentions, days, names and line breaks are shown as such', { skip }, async (t) => {
  const server = await serve(t);
  const lines = [
    '[2018-02-25 23:58:51] omri: hi everybody!',
    '[2018-02-25 23:59:30] omri: see https://example.org/a_(b)?c=1&d=2, ok? javascript:alert(1)',
    '[2018-02-26 00:01:00] omri: @Dana and dana, not Danaë',
    '[2018-02-26 00:02:00] יעל: שלום',
    'made by hand',
    '[2018-02-26 00:02:10] יעל: one↵two',
  ];
  writeFileSync(join(server.store, 'look.txt'), `${lines.join('\n')}\nno end yet`);
  const { page } = await openAs(browser, `${server.url}/look`, {
    name: 'Dana',
    timezoneId: 'Asia/Jerusalem',
  });
  await waitForText(page, 'made by hand');
  await waitForText(page, 'no end yet');
  const link = page.locator('#rows .text a');
  assert.equal(await link.count(), 1);
  assert.equal(await link.getAttribute('href'), 'https://example.org/a_(b)?c=1&d=2');
  assert.deepEqual(await page.locator('#rows mark').allInnerTexts(), ['@Dana', 'dana']);
  // In Jerusalem all of it is on the 26th, and the stored time is still there to see.
  assert.match(
    (await page.locator('.rule').allInnerTexts()).join('|'),
    /^Monday,? 26 February 2018$/,
  );
  const time = page.locator('#rows time').first();
  assert.equal(await time.innerText(), '01:58');
  assert.equal(await time.getAttribute('datetime'), '2018-02-25T23:58:51.000Z');
  assert.equal(await time.getAttribute('title'), '2018-02-25 23:58:51 as stored');
  assert.equal(await page.locator('.row.head').count(), 3);
  for (const part of await page.locator('#rows .text').all()) {
    assert.equal(await part.getAttribute('dir'), 'auto');
  }
  await post(server, 'look', { username: 'omri', message: 'and on' });
  await waitForText(page, 'and on');
  assert.deepEqual((await readRows(page)).map(({ message }) => message).slice(-2), [
    'no end yet',
    'and on',
  ]);
});

test('times of a server in another zone are the reader’s own, in summer and in winter', {
  skip,
}, async (t) => {
  const server = await serve(t, { env: { TZ: 'America/New_York' } });
  const lines = ['2026-01-15 09:00:00', '2026-03-08 03:00:00', '2026-07-15 09:00:00'];
  const text = lines.map((time) => `[${time}] omri: ${time}\n`).join('');
  writeFileSync(join(server.store, 'zone.txt'), text);
  const { page } = await openAs(browser, `${server.url}/zone`, { timezoneId: 'Europe/Berlin' });
  await waitForText(page, lines[2]!);
  const times = page.locator('#rows time');
  assert.deepEqual(
    await times.evaluateAll((all) => all.map((one) => one.getAttribute('datetime'))),
    ['2026-01-15T14:00:00.000Z', '2026-03-08T07:00:00.000Z', '2026-07-15T13:00:00.000Z'],
  );
  assert.deepEqual(await times.allInnerTexts(), ['15:00', '08:00', '15:00']);
  // An answer that says nothing of the zone changes nothing, and no row is made anew.
  const row = await page.locator('#rows .row').first().elementHandle();
  const isOld = page.waitForResponse((answer) => answer.status() === 304);
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await isOld;
  await waitForState(page, 'live');
  await page.waitForTimeout(200);
  assert.ok(await row?.evaluate((element) => element.isConnected));
  assert.deepEqual(await times.allInnerTexts(), ['15:00', '08:00', '15:00']);
});

test('unread messages are counted in the title, divided from the read, and marked on other rooms', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const fill = async (room: string, from: number, to: number) => {
    for (let number = from; number < to; number += 1) {
      await post(server, room, { username: 'other', message: `news ${number}` });
    }
  };
  await fill('busy', 0, 40);
  const { page } = await openAs(browser, `${server.url}/busy`, { name: 'me' });
  await waitForText(page, 'news 39');
  await waitForState(page, 'live');
  await page.locator('#scroller').hover();
  await page.mouse.wheel(0, -600);
  await page.locator('#latest').waitFor();
  await fill('busy', 40, 43);
  await page.getByRole('button', { name: '3 new' }).waitFor();
  assert.equal(await page.title(), '(3) busy');
  assert.equal(await page.locator('.row:has(.divider) .text').innerText(), 'news 40');
  await page.locator('#latest').click();
  await page.locator('#latest').waitFor({ state: 'hidden' });
  assert.equal(await page.title(), 'busy');
  await visit(page, `${server.url}/quiet`);
  await fill('busy', 43, 45);
  await page.reload();
  await page.locator('#rooms .news').waitFor();
  assert.match(await page.locator('#rooms li:has(.news)').innerText(), /^busy/);
  await visit(page, `${server.url}/busy`);
  await waitForText(page, 'news 44');
  assert.equal(await page.locator('.row:has(.divider) .text').innerText(), 'news 43');
});

test('a room is reached by name, whatever is in it', { skip }, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser, `${server.url}/`, { name: 'me' });
  await waitForState(page, 'live');
  const name = 'a/b?c#d %41 <i>ü</i> חדר';
  await page.locator('#room').fill(name);
  await page.locator('#room').press('Enter');
  await page.waitForURL(`${server.url}/${encodeURIComponent(name)}`);
  await waitForState(page, 'live');
  assert.equal(await page.locator('h1').textContent(), name);
  await say(page, 'found it');
  await waitForText(page, 'found it');
  await page.locator('#room').fill('..');
  await page.locator('#room').press('Enter');
  assert.notEqual(await page.locator('#room-fault').innerText(), '');
  const saved = page.waitForEvent('download');
  await page.locator('#save').click();
  const { readFileSync } = await import('node:fs');
  assert.match(readFileSync(await (await saved).path(), 'utf8'), /^\[.{19}\] me: found it\n$/);
});

/** What a page would show the desktop, and whether it is in the background: both at a test's hand. */
const recordNotifications = `
  let isHidden = false;
  Object.defineProperty(document, 'hidden', { get: () => isHidden });
  const hide = (hidden) => {
    isHidden = hidden;
    document.dispatchEvent(new Event('visibilitychange'));
  };
  const shown = [];
  const answers = ['denied', 'granted'];
  let permission = 'default';
  window.Notification = class extends EventTarget {
    static get permission() { return permission; }
    static async requestPermission() { return (permission = answers.shift()); }
    constructor(title, { body, tag }) {
      super();
      if (body) shown.push({ title, body, tag });
    }
    close() {}
  };
  window.desk = { hide, shown };
`;

/** The desktop of {@link recordNotifications}. */
interface Desk {
  hide(isHidden: boolean): void;
  shown: { title: string; body: string; tag: string }[];
}

test('notifications come only to who asked, in the background, of what others say', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page, faults } = await openAs(browser, `${server.url}/bell`, {
    name: 'omri',
    before: recordNotifications,
  });
  await waitForState(page, 'live');
  const hide = (isHidden: boolean) =>
    page.evaluate((hidden) => (window as unknown as { desk: Desk }).desk.hide(hidden), isHidden);
  const readShown = () => page.evaluate(() => (window as unknown as { desk: Desk }).desk.shown);
  const hear = async (message: string, username = 'noa') => {
    await post(server, 'bell', { username, message });
    await waitForText(page, message);
  };
  const bell = page.getByRole('button', { name: 'Notifications' });
  const isPressed = async () => (await bell.getAttribute('aria-pressed')) === 'true';

  await hide(true);
  await hear('nobody asked');
  await bell.click();
  await page.getByText('doesn’t allow notifications').waitFor();
  assert.equal(await isPressed(), false, 'the browser said no');
  await hear('nor is it allowed');
  await bell.click();
  await waitUntil('the bell is on', isPressed);
  await hide(false);
  await hear('in plain sight');
  await hide(true);
  await hear('from another tab of mine', 'omri');
  assert.deepEqual(await readShown(), []);

  const start = readFile(server.store, 'bell').at(-1)!.start;
  await hear('look here');
  const shown = await readShown();
  assert.deepEqual(
    shown.map(({ title, body }) => [title, body]),
    [['bell', 'noa: look here']],
  );
  assert.match(shown[0]!.tag, /^bell#\d+$/);
  assert.ok(Number(shown[0]!.tag.slice(5)) > start, 'the same tag in every tab: the line’s place');

  await bell.click();
  await waitUntil('the bell is off', async () => !(await isPressed()));
  await hear('quiet again');
  assert.equal((await readShown()).length, 1);
  assert.deepEqual(faults, []);
});
