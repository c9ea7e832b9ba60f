// A slow line: ten times as fast as one of 200 kbit/s, while the page's clock runs ten times as fast.
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
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
  visit,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

const BYTES_PER_SECOND = 250_000;

/** Lines of a kilobyte each. */
function makeLines(count: number): string {
  const lines = Array.from({ length: count }, (_, number) => {
    const message = `news ${number} `.padEnd(970, '.');
    return `[2026-01-01 00:00:00] other: ${message}\n`;
  });
  return lines.join('');
}

/** A page whose clock runs ten times as fast, at the end of a line of full speed. */
async function openFast(t: TestContext, room: string, text: string) {
  const { server, proxy } = await serveBadly(t);
  const path = join(server.store, `${room}.txt`);
  writeFileSync(path, text);
  const { page } = await openAs(browser.get(), 'about:blank', { name: 'me' });
  await page.clock.install();
  await visit(page, `${proxy.url}/${room}`);
  await waitForState(page, 'live');
  let isOver = false;
  t.after(() => {
    isOver = true;
  });
  const quicken = async () => {
    while (!isOver) {
      await page.clock.runFor(900);
      await page.waitForTimeout(100);
    }
  };
  quicken().catch(() => {});
  return { server, proxy, page, path };
}

/** The numbers of the news that the page shows. */
async function readNumbers(page: Page): Promise<number[]> {
  const found = (await readRows(page)).map(({ message }) => /^news (\d+)/.exec(message)?.[1]);
  return found.filter(Boolean).map(Number);
}

for (const [words, count] of Object.entries({ 'two megabytes': 2000, 'a little': 200 })) {
  test(`on a slow line ${words} of news come, and the reader’s own message with them`, {
    skip,
  }, async (t) => {
    const { server, proxy, page, path } = await openFast(t, 'slow', makeLines(1));
    await page.context().setOffline(true);
    await waitForState(page, 'offline');
    appendFileSync(path, makeLines(count));
    proxy.bytesPerSecond = BYTES_PER_SECOND;
    await page.context().setOffline(false);
    await say(page, 'mine');
    await waitForText(page, 'mine', 15_000);
    const numbers = await readNumbers(page);
    assert.equal(numbers.at(-1), count - 1);
    const first = numbers.at(-1)! - numbers.length + 1;
    if (count < 256) assert.deepEqual(numbers, [0, ...Array(count).keys()], 'nothing is left out');
    else
      assert.deepEqual(
        numbers,
        Array.from(numbers, (_, index) => first + index),
      );
    await waitUntil('it is sent', async () => (await readPending(page)).length === 0);
    await post(server, 'slow', { username: 'other', message: 'live again' });
    await waitForText(page, 'live again');
    assert.equal(readFile(server.store, 'slow').length, 1 + count + 2);
  });
}

test('on a slow line words are found in all of a room', { skip }, async (t) => {
  const first = '[2026-01-01 00:00:00] other: a needle\n';
  const { proxy, page } = await openFast(t, 'needle', first + makeLines(1500));
  proxy.bytesPerSecond = BYTES_PER_SECOND;
  await page.locator('#find-toggle').click();
  await page.locator('#words').fill('a needle');
  await page.locator('#words').press('Enter');
  await page.getByText('1 message', { exact: true }).waitFor();
});
