// The page stays in step with its room, whatever becomes of server and network.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { post } from '../../support/http.ts';
import { pause, startServer, waitUntil } from '../../support/server.ts';
import {
  openAs,
  readFile,
  readPending,
  readRows,
  say,
  serveBadly,
  skip,
  useBrowser,
  visit,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

/** Posts numbered messages until stopped; a server that is away costs some of them. */
function keepPosting(port: number, room: string) {
  const poster = { count: 0, isOn: true, done: Promise.resolve() };
  poster.done = (async () => {
    while (poster.isOn) {
      const fields = { username: 'poster', message: `message ${poster.count}` };
      const answer = await post({ port }, room, fields).catch(() => undefined);
      if (answer?.status === 201) poster.count += 1;
      await pause(15);
    }
  })();
  return poster;
}

/** Waits until the page shows just the lines of the file, each once, in order. */
async function assertInStep(page: Page, store: string, room: string): Promise<void> {
  const last = readFile(store, room).at(-1);
  assert.ok(last, 'the room has lines');
  await page.locator(`#at-${last.start}`).waitFor({ timeout: 30_000 });
  const expected = readFile(store, room);
  const shown = await readRows(page);
  assert.deepEqual(shown, expected.slice(-shown.length));
  assert.ok(shown.length >= Math.min(expected.length, 500));
}

test('a server killed and restarted five times costs the page no line and doubles none', {
  skip,
}, async (t) => {
  let { server } = await serveBadly(t);
  const { port, store } = server;
  const { page, faults } = await openAs(browser.get(), `${server.url}/killed`, { name: 'reader' });
  await waitForState(page, 'live');
  const poster = keepPosting(port, 'killed');
  for (let round = 0; round < 5; round += 1) {
    const before = poster.count;
    // A server that died holding the room's lock may hold the others up for some seconds.
    await waitUntil('posting again', () => poster.count > before + 3);
    await server.kill();
    await page.locator('#status:not([data-state="live"])').waitFor();
    server = await startServer({ store, env: { PORT: String(port) } });
    t.after(server.kill);
    await say(page, `round ${round}`);
    await waitUntil('it is sent', async () => (await readPending(page)).length === 0);
  }
  await waitForState(page, 'live');
  poster.isOn = false;
  await poster.done;
  await assertInStep(page, store, 'killed');
  const own = (await readRows(page)).filter(({ name }) => name === 'reader');
  const words = own.map(({ message }) => message);
  assert.deepEqual(words, ['round 0', 'round 1', 'round 2', 'round 3', 'round 4']);
  assert.deepEqual(faults, []);
});

test('what was said while the browser was offline is there once it is back', {
  skip,
}, async (t) => {
  const { server } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${server.url}/offline`, { name: 'reader' });
  await waitForState(page, 'live');
  await say(page, 'before');
  await waitForText(page, 'before');
  await page.context().setOffline(true);
  await waitForState(page, 'offline');
  for (let number = 0; number < 30; number += 1) {
    await post(server, 'offline', { username: 'other', message: `unheard ${number}` });
  }
  await say(page, 'said offline');
  assert.deepEqual(await readPending(page), ['said offline']);
  await page.context().setOffline(false);
  // What was said meanwhile waited, and goes by itself. Only then does the room stand still.
  await waitForText(page, 'said offline');
  await waitForState(page, 'live');
  await assertInStep(page, server.store, 'offline');
  const said = readFile(server.store, 'offline').filter(
    ({ message }) => message === 'said offline',
  );
  assert.equal(said.length, 1);
});

test('a tab asks before it closes on a message that still waits, and else does not', {
  skip,
}, async (t) => {
  const { server } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${server.url}/waiting`, { name: 'sender' });
  await waitForState(page, 'live');
  await say(page, 'sent');
  await waitForText(page, 'sent');
  let questions = 0;
  page.on('dialog', (dialog) => {
    questions += 1;
    assert.equal(dialog.type(), 'beforeunload');
    void dialog.accept();
  });
  await page.reload();
  await waitForState(page, 'live');
  assert.equal(questions, 0);
  await page.context().setOffline(true);
  await waitForState(page, 'offline');
  await say(page, 'waits');
  await page.close({ runBeforeUnload: true });
  await waitUntil('closed', () => page.isClosed());
  assert.equal(questions, 1);
});

test('behind a proxy that swallows streams the page polls, and hears everything', {
  skip,
}, async (t) => {
  const { server, proxy } = await serveBadly(t);
  proxy.swallowsStreams = true;
  const { page } = await openAs(browser.get(), `${proxy.url}/swallowed`, { name: 'reader' });
  await post(server, 'swallowed', { username: 'other', message: 'before it gave up' });
  await waitForText(page, 'before it gave up');
  await waitForState(page, 'polling');
  await post(server, 'swallowed', { username: 'other', message: 'polled' });
  await waitForText(page, 'polled');
  await say(page, 'and answered');
  await waitForText(page, 'and answered');
  await assertInStep(page, server.store, 'swallowed');
});

test('a stream that is silent for longer than the pings is opened anew', { skip }, async (t) => {
  const { server, proxy } = await serveBadly(t);
  const { page } = await openAs(browser.get(), 'about:blank', { name: 'reader' });
  await page.clock.install();
  await visit(page, `${proxy.url}/silent`);
  await waitForState(page, 'live');
  proxy.freezesStreams = true;
  const before = proxy.streamCount;
  await post(server, 'silent', { username: 'other', message: 'into the void' });
  await waitUntil('the line was sent', () => proxy.withheldBytes > 0);
  proxy.freezesStreams = false;
  assert.equal((await readRows(page)).length, 0);
  await page.clock.fastForward(36_000);
  await waitUntil('a new stream opened', async () => {
    await page.clock.runFor(500);
    return proxy.streamCount > before;
  });
  await waitForText(page, 'into the void');
});

test('a room that is deleted and begun anew is shown from its new beginning', {
  skip,
}, async (t) => {
  const { server } = await serveBadly(t);
  await post(server, 'anew', { username: 'other', message: 'of the old room' });
  const { page } = await openAs(browser.get(), `${server.url}/anew`, { name: 'reader' });
  await waitForText(page, 'of the old room');
  await waitForState(page, 'live');
  rmSync(`${server.store}/anew.txt`);
  await page.locator('#intro[data-state="empty"]').waitFor();
  await post(server, 'anew', { username: 'other', message: 'of the new room' });
  await waitForText(page, 'of the new room');
  await assertInStep(page, server.store, 'anew');
});
