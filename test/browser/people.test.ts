// People talk in rooms, on whichever server, and with another front end.
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTempFolder, projectFolder } from '../support/paths.ts';
import {
  openAs,
  readRows,
  say,
  serve,
  skip,
  useBrowser,
  visit,
  waitForState,
  waitForText,
} from './browser.ts';

const browser = useBrowser();

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
      const first = await openAs(browser.get(), `${server.url}/${rooms[0]}`, { name });
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
  const { page: client, faults } = await openAs(browser.get(), `${theirs.url}/${address}`);
  const { page } = await openAs(browser.get(), `${ours.url}/${address}`, { name: 'dana' });
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
