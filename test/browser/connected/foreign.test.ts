// The page believes only its room: whoever else answers in its place changes nothing that is shown.
import assert from 'node:assert/strict';
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
  serveBadly,
  skip,
  useBrowser,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

/** Lets the page try again at once, as a browser does that is online again. */
const retry = (page: Page) => page.evaluate(() => window.dispatchEvent(new Event('online')));
const readVisits = (page: Page) => page.evaluate(() => localStorage.getItem('chat.rooms'));

const portals = {
  'a login page': 'html',
  'the way to a login page': 'redirect',
  'plain text that is no room’s': 'text',
} as const;
for (const [words, portal] of Object.entries(portals)) {
  test(`${words} in the room’s place leaves what is shown, and asks to sign in`, {
    skip,
  }, async (t) => {
    const { server, proxy } = await serveBadly(t);
    for (const message of ['one', 'two', 'three']) {
      await post(server, 'kept', { username: 'other', message });
    }
    const { page, faults } = await openAs(browser.get(), `${proxy.url}/kept`, { name: 'me' });
    await waitForText(page, 'three');
    await waitForState(page, 'live');
    const [shown, visits] = [await readRows(page), await readVisits(page)];
    proxy.portal = portal;
    proxy.cut();
    await page.locator('#status', { hasText: 'Sign in again, then reload' }).waitFor();
    assert.deepEqual(await readRows(page), shown);
    assert.equal(await readVisits(page), visits);
    proxy.portal = false;
    await retry(page);
    await post(server, 'kept', { username: 'other', message: 'four' });
    await waitForText(page, 'four');
    assert.deepEqual(await readRows(page), readFile(server.store, 'kept'));
    assert.deepEqual(faults, []);
  });
}

test('a room that was never read is not opened with a login page', { skip }, async (t) => {
  const { server, proxy } = await serveBadly(t);
  await post(server, 'late', { username: 'other', message: 'one' });
  proxy.portal = 'html';
  const { page } = await openAs(browser.get(), `${proxy.url}/late`, { name: 'me' });
  await page.locator('#status', { hasText: 'Sign in again, then reload' }).waitFor();
  assert.deepEqual(await readRows(page), []);
  proxy.portal = false;
  await retry(page);
  await waitForText(page, 'one');
});

test('a message whose answer was lost is sent again until the room itself answers', {
  skip,
}, async (t) => {
  const { server, proxy } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${proxy.url}/again`, { name: 'me' });
  await waitForState(page, 'live');
  await say(page, 'first');
  await waitForText(page, 'first');
  proxy.losesAnswers = 'cut';
  proxy.freezesStreams = true;
  proxy.portal = 'html';
  await say(page, 'once');
  await page.locator('#pending .lost').waitFor();
  // The way to sign in leads through a reload.
  page.on('dialog', (dialog) => void dialog.accept());
  await page.reload();
  await page.locator('#status', { hasText: 'Sign in again, then reload' }).waitFor();
  await page.locator('#pending .lost').waitFor();
  assert.equal(await page.locator('#pending .failed').count(), 0);
  proxy.losesAnswers = false;
  proxy.freezesStreams = false;
  proxy.portal = false;
  await retry(page);
  await waitForText(page, 'once');
  await waitUntil('nothing waits', async () => (await readPending(page)).length === 0);
  const said = readFile(server.store, 'again').map(({ message }) => message);
  assert.deepEqual(said, ['first', 'once']);
});

test('a message that was posted to a login page is not lost, and not said to be sent', {
  skip,
}, async (t) => {
  const { server, proxy } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${proxy.url}/login`, { name: 'me' });
  await waitForState(page, 'live');
  proxy.portal = 'html';
  await say(page, 'keep me');
  await page.locator('#pending .lost', { hasText: 'Sign in again' }).waitFor();
  assert.deepEqual(readFile(server.store, 'login'), []);
  proxy.portal = false;
  await waitForText(page, 'keep me');
  assert.deepEqual(await readPending(page), []);
  assert.equal(readFile(server.store, 'login').length, 1);
});
