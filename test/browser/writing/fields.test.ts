// What people type into the page’s fields, on keyboards of every kind.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  openAs,
  readFile,
  say,
  serve,
  skip,
  useBrowser,
  visit,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

test('a room is reached by name, whatever is in it', { skip }, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/`, { name: 'me' });
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
  assert.match(readFileSync(await (await saved).path(), 'utf8'), /^\[.{19}\] me: found it\n$/);
});

test('a room’s name is taken as people write it', { skip }, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/start`, { name: 'me' });
  const rooms = {
    '#general': 'general',
    '/lobby': 'lobby',
    ' #tea time ': 'tea time',
    'cafe\u0301': 'café',
    '': 'general',
    '#': 'general',
    'a/b#c': 'a/b#c',
  };
  for (const [typed, room] of Object.entries(rooms)) {
    await visit(page, `${server.url}/start`);
    await page.locator('#room').fill(typed);
    await page.locator('#room').press('Enter');
    await page.waitForURL(`${server.url}/${encodeURIComponent(room)}`);
  }
});

test('the field of a room’s name asks the keyboard to leave it as it is', { skip }, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/start`, { name: 'me' });
  const attributes = {
    autocapitalize: 'none',
    autocorrect: 'off',
    spellcheck: 'false',
    enterkeyhint: 'go',
  };
  for (const [name, value] of Object.entries(attributes)) {
    assert.equal(await page.locator('#room').getAttribute(name), value, name);
  }
});

test('a room’s name that is too long says by how many letters, as people count them', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/start`, { name: 'me' });
  await waitForState(page, 'live');
  const faults = {
    ['字'.repeat(27)]: /too long by 1 letter\b/,
    [`${'字'.repeat(26)}ab`]: undefined,
    ['字'.repeat(26)]: undefined,
    ['é'.repeat(42)]: /too long by 2 letters/,
    ['X'.repeat(81)]: /too long by 1 letter\b/,
    ['x'.repeat(101)]: /too long by 1 letter\b/,
    ['👩‍👩‍👧'.repeat(5)]: /too long by 1 letter\b/,
  };
  for (const [name, fault] of Object.entries(faults)) {
    await visit(page, `${server.url}/start`);
    await page.locator('#room').fill(name);
    await page.locator('#room').press('Enter');
    if (fault) await page.locator('#room-fault', { hasText: fault }).waitFor();
    else await page.waitForURL(`${server.url}/${encodeURIComponent(name)}`);
    if (!fault) await waitForState(page, 'live');
  }
});

test('Ctrl or Cmd with Enter sends on every device', { skip }, async (t) => {
  const server = await serve(t);
  const tablet = { viewport: { width: 800, height: 1000 }, hasTouch: true, isMobile: true };
  for (const [device, options] of Object.entries({ tablet, desktop: {} })) {
    const { page } = await openAs(browser.get(), `${server.url}/keys`, { name: 'me', ...options });
    await waitForState(page, 'live');
    for (const key of ['Control+Enter', 'Meta+Enter']) {
      await page.locator('#message').fill(`${key} on a ${device}`);
      await page.locator('#message').press(key);
      await waitForText(page, `${key} on a ${device}`);
    }
  }
  assert.equal(readFile(server.store, 'keys').length, 4);
});

test('a name is kept in the form in which most write it', { skip }, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/form`);
  await page.locator('#name').fill('Zoe\u0308');
  await page.locator('#name').press('Enter');
  await waitForState(page, 'live');
  await say(page, 'hi');
  await waitForText(page, 'hi');
  assert.equal(readFile(server.store, 'form')[0]!.name, 'Zoë');
});
