// Everything that a browser offers is optional: the page works without, or says that it can't.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { post } from '../../support/http.ts';
import { waitUntil } from '../../support/server.ts';
import {
  openAs,
  readPending,
  readRows,
  say,
  serve,
  skip,
  useBrowser,
  visit,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

const refuse = `const refuse = () => { throw new DOMException('no', 'SecurityError'); };`;

/** What browsers lack or refuse, as scripts that run before the page's. */
const lacks: Record<string, string> = {
  'a BroadcastChannel that throws': `${refuse} window.BroadcastChannel = class { constructor() { refuse(); } };`,
  'no BroadcastChannel': 'delete window.BroadcastChannel;',
  'Web Locks that reject': `LockManager.prototype.request = async () => { throw new DOMException('no', 'SecurityError'); };`,
  'Web Locks that throw': `${refuse} LockManager.prototype.request = refuse;`,
  'Web Locks whose getter throws': `${refuse} Object.defineProperty(Navigator.prototype, 'locks', { get: refuse });`,
  'no EventSource': 'delete window.EventSource;',
  'an EventSource that throws': `${refuse} window.EventSource = class { constructor() { refuse(); } };`,
  'none of what came after the beginning of 2022': `
    delete Intl.Segmenter; delete URL.canParse; delete URL.parse; delete AbortSignal.any;
    delete AbortSignal.timeout; delete AbortSignal.abort; delete AbortSignal.prototype.throwIfAborted;
    delete window.structuredClone; delete window.CSSLayerBlockRule; delete window.navigation;
    delete ReadableStream.prototype[Symbol.asyncIterator]; delete ReadableStream.from;
    delete Blob.prototype.bytes; delete Response.prototype.bytes; delete Object.groupBy;
    delete Map.groupBy; delete Array.fromAsync; delete Promise.try; delete RegExp.escape;
    delete Set.prototype.union; delete window.Iterator; delete Uint8Array.fromBase64;
    delete Element.prototype.checkVisibility; delete Element.prototype.setHTMLUnsafe;
    delete HTMLElement.prototype.showPopover; delete document.startViewTransition;
    delete window.trustedTypes; delete window.CloseWatcher; delete window.scheduler;
    CSS.supports = () => false;`,
  'storage that throws': `${refuse}
    Object.defineProperty(window, 'localStorage', { get: refuse });
    Object.defineProperty(window, 'sessionStorage', { get: refuse });`,
  'the language of 2022': `
    delete Intl.Segmenter; delete URL.canParse; delete AbortSignal.any; delete AbortSignal.timeout;
    delete String.prototype.toWellFormed; delete Array.prototype.findLast;
    delete Array.prototype.findLastIndex; delete window.structuredClone;
    delete Array.prototype.toSorted; delete Array.prototype.toReversed; delete Array.prototype.with;
    delete Object.groupBy; delete Promise.withResolvers;
    const { RegExp: Native } = window;
    window.RegExp = class extends Native {
      constructor(source, flags) {
        if (String(source).includes('(?<')) throw new SyntaxError('no lookbehind');
        super(source, flags);
      }
    };`,
  'no Notification and no clipboard':
    'delete window.Notification; delete Navigator.prototype.clipboard;',
};
for (const [words, before] of Object.entries(lacks)) {
  test(`with ${words} the page reads, writes, hears and finds`, { skip }, async (t) => {
    const server = await serve(t);
    await post(server, 'old', { username: 'Other', message: 'see https://example.com/ me' });
    const { page, faults } = await openAs(browser.get(), `${server.url}/old`, { before });
    await page.locator('#name').fill('me');
    await page.locator('#name').press('Enter');
    await waitForText(page, 'see https://example.com/ me');
    await page.locator('#status:is([data-state="live"], [data-state="polling"])').waitFor();
    await say(page, 'mine');
    await waitForText(page, 'mine');
    await post(server, 'old', { username: 'Other', message: 'theirs' });
    await waitForText(page, 'theirs');
    assert.deepEqual(await readPending(page), []);
    assert.equal(await page.locator('#rows .text a').count(), 1);
    assert.equal(await page.locator('#rows .disc').first().innerText(), 'O');
    await page.locator('#scroller').focus();
    await page.keyboard.press('ArrowUp');
    assert.equal(await page.evaluate(() => document.activeElement?.className), 'time');
    await page.keyboard.press('/');
    await page.locator('#words').fill('THEIRS');
    await page.locator('#words').press('Enter');
    await page.getByText('1 message', { exact: true }).waitFor();
    await page.locator('#hits a').click();
    await page.locator('.row.target', { hasText: 'theirs' }).waitFor();
    assert.deepEqual(faults, []);
  });
}

test('a row that can’t be drawn is shown as its bare text, and empties nothing', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const names = ['good', 'bad', 'fine'];
  const lines = names.map((name) => `[2026-01-01 00:00:00] ${name}: from ${name}\n`);
  writeFileSync(join(server.store, 'rows.txt'), lines.join(''));
  const before = `
    const { encode } = TextEncoder.prototype;
    TextEncoder.prototype.encode = function (text) {
      if (text === 'bad') throw new Error('a fault');
      return encode.call(this, text);
    };`;
  const { page } = await openAs(browser.get(), `${server.url}/rows`, { name: 'me', before });
  await waitForText(page, 'from fine');
  const texts = (await readRows(page)).map(({ message }) => message);
  assert.deepEqual(texts, ['from good', lines[1]!.trimEnd(), 'from fine']);
});

for (const part of ['panels/finder.js', 'lib/storage.js']) {
  test(`where ${part} is blocked, and storage too, the page reloads a few times and says so`, {
    skip,
  }, async (t) => {
    const server = await serve(t);
    const { page } = await openAs(browser.get(), 'about:blank', {
      before: lacks['storage that throws']!,
    });
    let loads = 0;
    page.on('request', (request) => {
      if (request.isNavigationRequest()) loads += 1;
    });
    await page.route(`**/static/${part}`, (route) => route.abort());
    await page.goto(`${server.url}/blocked`);
    await page.locator('#intro[data-state="stuck"]', { hasText: 'didn’t start' }).waitFor();
    assert.ok(await page.getByText('This page didn’t start').isVisible());
    assert.ok(loads > 1 && loads <= 5, `${loads} loads`);
    await page.unroute(`**/static/${part}`);
    await visit(page, `${server.url}/blocked`);
    assert.equal(await page.getByText('This page didn’t start').isVisible(), false);
  });
}

test('where nothing of the page can run, it says so by itself after a while', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), 'about:blank');
  await page.route('**/static/boot.js', (route) => route.abort());
  await page.goto(`${server.url}/nothing`);
  const words = page.getByText('This page didn’t start');
  assert.equal(await words.isVisible(), false, 'not at once: it may only be slow');
  await page.evaluate(() => {
    for (const animation of document.getAnimations()) animation.finish();
  });
  await words.waitFor();
});

test('a browser that makes no notifications turns the bell off and says so', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const before = `
    window.Notification = class {
      static permission = 'granted';
      static requestPermission = async () => 'granted';
      constructor() { throw new TypeError('Illegal constructor'); }
    };`;
  const seat = { name: 'me', before };
  const { page, faults } = await openAs(browser.get(), `${server.url}/bell`, seat);
  const bell = page.getByRole('button', { name: 'Notifications' });
  await bell.click();
  await page.getByText('makes no notifications').waitFor();
  await waitUntil('off', async () => (await bell.getAttribute('aria-pressed')) === 'false');
  await page.evaluate(() => localStorage.setItem('chat.notify', 'true'));
  await page.reload();
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true });
  });
  await post(server, 'bell', { username: 'Other', message: 'hear, hear' });
  await waitForText(page, 'hear, hear');
  assert.deepEqual(faults, []);
});
