// Ten tabs of one room: one stream, and every one of them live.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { post } from '../../support/http.ts';
import { waitUntil } from '../../support/server.ts';
import {
  openAs,
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

async function openTabs(t: TestContext, count: number, before = '') {
  const { server, proxy } = await serveBadly(t);
  const { page } = await openAs(browser.get(), `${proxy.url}/ten`, { name: 'me', before });
  t.after(() => page.context().close());
  const pages = [page];
  while (pages.length < count) {
    const tab = await page.context().newPage();
    await visit(tab, `${proxy.url}/ten`);
    pages.push(tab);
  }
  for (const tab of pages) await waitForState(tab, 'live');
  return { server, proxy, pages };
}

async function assertAllShow(pages: Page[], messages: string[]): Promise<void> {
  for (const page of pages) {
    await waitForText(page, messages.at(-1)!);
    assert.deepEqual(
      (await readRows(page)).map(({ message }) => message),
      messages,
    );
    assert.deepEqual(await readPending(page), []);
  }
}

test('ten tabs of one room share a stream, stay live and can all post', { skip }, async (t) => {
  const { server, proxy, pages } = await openTabs(t, 10);
  await waitUntil('one stream is open', () => proxy.openStreams === 1);
  const said = ['from elsewhere'];
  await post(server, 'ten', { username: 'other', message: 'from elsewhere' });
  for (const [number, page] of pages.entries()) {
    await say(page, `from tab ${number}`);
    said.push(`from tab ${number}`);
    await waitForText(page, `from tab ${number}`);
  }
  await assertAllShow(pages, said);
  await waitUntil('one stream is open', () => proxy.openStreams === 1);
});

test('when the tab that holds the stream closes, another goes on without a gap', {
  skip,
}, async (t) => {
  const { server, proxy, pages } = await openTabs(t, 4);
  const said: string[] = [];
  let isClosing = true;
  const posting = (async () => {
    for (let number = 0; isClosing; number += 1) {
      await post(server, 'ten', { username: 'other', message: `message ${number}` });
      said.push(`message ${number}`);
    }
  })();
  for (const page of pages.splice(0, 2)) {
    const before = said.length;
    await waitUntil('some are posted', () => said.length > before + 20);
    await page.close();
  }
  await waitUntil('some more are posted', () => said.length > 100);
  isClosing = false;
  await posting;
  await assertAllShow(pages, said);
  await waitUntil('one stream is open', () => proxy.openStreams === 1);
});

test('all tabs hear of what was too much for the one that holds the stream', {
  skip,
}, async (t) => {
  const { server, proxy, pages } = await openTabs(t, 2);
  await post(server, 'ten', { username: 'other', message: 'before' });
  for (const page of pages) await waitForText(page, 'before');
  proxy.freezesStreams = true;
  const line = `[2026-01-01 00:00:00] other: ${'x'.repeat(1000)}\n`;
  const last = '[2026-01-01 00:00:00] other: and that was it\n';
  appendFileSync(join(server.store, 'ten.txt'), line.repeat(400) + last);
  await waitUntil('the lines were sent', () => proxy.withheldBytes > 64_000);
  proxy.freezesStreams = false;
  proxy.cut();
  for (const page of pages) await waitForText(page, 'and that was it', 10_000);
});

test('without Web Locks, as over plain HTTP on a network, tabs are live all the same', {
  skip,
}, async (t) => {
  const { server, pages } = await openTabs(t, 3, 'delete Navigator.prototype.locks');
  assert.equal(await pages[0]!.evaluate('navigator.locks'), undefined);
  await post(server, 'ten', { username: 'other', message: 'one' });
  await say(pages[1]!, 'two');
  await assertAllShow(pages, ['one', 'two']);
  await pages.shift()!.close();
  await post(server, 'ten', { username: 'other', message: 'three' });
  await assertAllShow(pages, ['one', 'two', 'three']);
});

test('seven rooms at once leave connections free to post', { skip }, async (t) => {
  const { pages, proxy } = await openTabs(t, 1);
  const [page] = pages;
  const tabs = [page!];
  for (let number = 1; number < 7; number += 1) {
    const tab = await page!.context().newPage();
    await visit(tab, `${proxy.url}/room-${number}`);
    tabs.push(tab);
  }
  for (const [number, tab] of tabs.entries()) {
    await say(tab, `hello ${number}`);
    await waitForText(tab, `hello ${number}`);
    await tab.locator('#status:is([data-state="live"], [data-state="polling"])').waitFor();
  }
});
