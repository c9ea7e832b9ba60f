// Whatever becomes of an answer, the page sends again by itself, and the room gets one line.
import assert from 'node:assert/strict';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { post } from '../../support/http.ts';
import { waitUntil } from '../../support/server.ts';
import {
  openAs,
  readFile,
  readPending,
  readRows,
  say,
  serve,
  serveBadly,
  skip,
  useBrowser,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

const readSaid = (store: string, room: string) =>
  readFile(store, room).map(({ message }) => message);

async function waitForEmptyOutbox(page: Page): Promise<void> {
  await waitUntil('all sent', async () => (await readPending(page)).length === 0);
}

/** Duplicates a tab, its session storage included. */
async function duplicate(page: Page): Promise<Page> {
  const [copy] = await Promise.all([
    page.context().waitForEvent('page'),
    page.evaluate(() => void window.open(location.href)),
  ]);
  await copy.locator('#status:not(:empty)').waitFor();
  return copy;
}

const losses = {
  'cut off before the first byte': 'cut',
  'a proxy’s 502': 'gateway',
  'cut off after its head': 'body',
} as const;
for (const [words, loss] of Object.entries(losses)) {
  test(`a message whose answer is ${words} is sent again, and is there once`, {
    skip,
  }, async (t) => {
    const { server, proxy } = await serveBadly(t);
    const { page } = await openAs(browser.get(), `${proxy.url}/lost`, { name: 'sender' });
    await waitForState(page, 'live');
    // On a connection that was used before, a browser may send a POST again by itself.
    await say(page, 'first');
    await waitForText(page, 'first');
    let sentCount = 0;
    page.on('request', (request) => {
      if (request.method() === 'POST') sentCount += 1;
    });
    const before = proxy.postCount;
    proxy.losesAnswers = loss;
    await say(page, 'same words');
    await say(page, 'same words');
    await page.locator('#rows .text').getByText('same words').nth(1).waitFor();
    // Now only the answer can tell of it.
    proxy.freezesStreams = true;
    await say(page, 'through the dark');
    await page.locator('#pending .lost').waitFor();
    if (loss === 'cut') assert.ok(proxy.postCount - before > sentCount, 'Chromium sent again');
    proxy.losesAnswers = false;
    await waitForText(page, 'through the dark');
    await waitForEmptyOutbox(page);
    const said = readSaid(server.store, 'lost');
    assert.deepEqual(said, ['first', 'same words', 'same words', 'through the dark']);
    assert.deepEqual(await readRows(page), readFile(server.store, 'lost'));
  });
}

test('a message that does not reach the room goes by itself when it can, through a reload too', {
  skip,
}, async (t) => {
  const { server, proxy } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${proxy.url}/lost`, { name: 'sender' });
  await waitForState(page, 'live');
  proxy.losesPosts = true;
  await say(page, 'one');
  await say(page, 'two');
  await page.locator('#pending .lost').waitFor();
  page.on('dialog', (dialog) => void dialog.accept());
  await page.reload();
  await page.locator('#pending .lost').first().waitFor();
  assert.deepEqual(await readPending(page), ['one', 'two']);
  assert.equal(await page.locator('#pending .failed').count(), 0);
  proxy.losesPosts = false;
  await waitForText(page, 'two');
  await waitForEmptyOutbox(page);
  assert.deepEqual(readSaid(server.store, 'lost'), ['one', 'two']);
});

test('a reload while a message is on its way ends in one line', { skip }, async (t) => {
  const { server, proxy } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${proxy.url}/slow`, { name: 'sender' });
  await waitForState(page, 'live');
  proxy.holdsPosts = true;
  await say(page, 'slow');
  await waitUntil('it is on its way', () => proxy.heldCount === 1);
  await page.reload();
  await waitUntil('it is sent again', () => proxy.heldCount === 2);
  proxy.holdsPosts = false;
  proxy.releasePosts();
  await waitForText(page, 'slow');
  await waitForEmptyOutbox(page);
  // The words can be said again, and are another message.
  await say(page, 'slow');
  await page.locator('#rows .text').getByText('slow').nth(1).waitFor();
  assert.deepEqual(readSaid(server.store, 'slow'), ['slow', 'slow']);
});

test('a tab that is duplicated with messages that wait: each ends in one line', {
  skip,
}, async (t) => {
  const { server, proxy } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${proxy.url}/twins`, { name: 'sender' });
  await waitForState(page, 'live');
  proxy.holdsPosts = true;
  for (const message of ['ok', 'ok', 'other', 'ok']) await say(page, message);
  await waitUntil('one is on its way', () => proxy.heldCount === 1);
  const copy = await duplicate(page);
  await waitUntil('the copy sends it too', () => proxy.heldCount === 2);
  assert.deepEqual(await readPending(copy), ['ok', 'ok', 'other', 'ok']);
  proxy.holdsPosts = false;
  proxy.releasePosts();
  for (const tab of [page, copy]) await waitForEmptyOutbox(tab);
  assert.deepEqual(readSaid(server.store, 'twins'), ['ok', 'ok', 'other', 'ok']);
  await say(page, 'ok');
  await page.locator('#rows .text').getByText('ok', { exact: true }).nth(3).waitFor();
  assert.equal(readSaid(server.store, 'twins').length, 5);
});

test('a tab that is duplicated offline sends each message once', { skip }, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/offline`, { name: 'sender' });
  await waitForState(page, 'live');
  // Nothing but the rooms is away, so that the copy can start.
  const context = page.context();
  await context.route('**/chat/*', (route) => route.abort());
  await page.evaluate(() => window.dispatchEvent(new Event('offline')));
  await waitForState(page, 'offline');
  await say(page, 'waits');
  const copy = await duplicate(page);
  assert.deepEqual(await readPending(copy), ['waits']);
  await context.unroute('**/chat/*');
  for (const tab of [page, copy]) {
    await waitForText(tab, 'waits');
    await waitForEmptyOutbox(tab);
  }
  assert.deepEqual(readSaid(server.store, 'offline'), ['waits']);
});

test('a message whose room was begun anew unnoticed is sent to the new one', {
  skip,
}, async (t) => {
  const { server, proxy } = await serveBadly(t);
  await post(server, 'anew', { username: 'other', message: 'of the old room' });
  const { page } = await openAs(browser.get(), `${proxy.url}/anew`, { name: 'sender' });
  await waitForText(page, 'of the old room');
  await waitForState(page, 'live');
  proxy.freezesStreams = true;
  rmSync(join(server.store, 'anew.txt'));
  await post(server, 'anew', { username: 'other', message: 'of the new room' });
  await say(page, 'hello');
  await waitForText(page, 'hello');
  await waitForEmptyOutbox(page);
  assert.deepEqual(readSaid(server.store, 'anew'), ['of the new room', 'hello']);
});

test('where nobody can tell any more, the page says so and lets its reader decide', {
  skip,
}, async (t) => {
  const { server, proxy } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${proxy.url}/late`, { name: 'sender' });
  await waitForState(page, 'live');
  await say(page, 'first');
  await waitForText(page, 'first');
  proxy.losesPosts = true;
  await say(page, 'late');
  await page.locator('#pending .lost').waitFor();
  const line = `[2018-02-25 14:00:51] other: ${'x'.repeat(1000)}\n`;
  appendFileSync(join(server.store, 'late.txt'), line.repeat(1100));
  proxy.losesPosts = false;
  const failed = page.locator('#pending .failed');
  await failed.waitFor();
  assert.match(await failed.locator('.reason').innerText(), /^Perhaps not sent\. .* read the room/);
  await page.getByRole('button', { name: 'Send again' }).click();
  await waitForText(page, 'late');
  await waitForEmptyOutbox(page);
  assert.equal(readSaid(server.store, 'late').filter((message) => message === 'late').length, 1);
});

test('a message of long ago is not sent by itself', { skip }, async (t) => {
  const server = await serve(t);
  const old = { name: 'sender', message: 'see you in five minutes', state: 'queued', reason: '' };
  const entry = { ...old, since: { epoch: '00000000', offset: 0 }, writtenAt: 1.6e12 };
  const before = `sessionStorage.getItem('chat.outbox.old') ??
    sessionStorage.setItem('chat.outbox.old', ${JSON.stringify(JSON.stringify([entry]))})`;
  const seat = { name: 'sender', before };
  const { page } = await openAs(browser.get(), `${server.url}/old`, seat);
  await waitForState(page, 'live');
  await say(page, 'hello');
  await waitForText(page, 'hello');
  await page.locator('#pending .failed', { hasText: 'Perhaps not sent.' }).waitFor();
  await page.getByRole('button', { name: 'Discard' }).click();
  assert.deepEqual(await readPending(page), []);
  assert.deepEqual(readSaid(server.store, 'old'), ['hello']);
});
