// What the page does as one types and reads costs the same in a long room as in a short one.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { waitUntil } from '../../support/server.ts';
import { openAs, serve, skip, useBrowser, waitForState } from '../browser.ts';

const browser = useBrowser();

/** Counts how often the page measures an element. */
const countMeasures = `
  const { getBoundingClientRect } = Element.prototype;
  window.measures = 0;
  Element.prototype.getBoundingClientRect = function () {
    window.measures += 1;
    return getBoundingClientRect.call(this);
  };
`;

/** How many elements were measured since the last call. */
function takeMeasures(page: Page): Promise<number> {
  return page.evaluate(() => {
    const counter = window as unknown as { measures: number };
    const { measures } = counter;
    counter.measures = 0;
    return measures;
  });
}

test('a key that moves nothing measures nothing, and an arrow key a few rows of many', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const lines = Array.from({ length: 3000 }, (_, n) => `[2026-01-01 00:00:00] omri: line ${n}\n`);
  writeFileSync(join(server.store, 'long.txt'), lines.join(''));
  const seat = { name: 'me', before: countMeasures };
  const { page } = await openAs(browser.get(), `${server.url}/long`, seat);
  await waitForState(page, 'live');
  await page.locator('#scroller').focus();
  await takeMeasures(page);
  for (const key of ['x', 'Shift', 'Escape']) await page.keyboard.press(key);
  assert.equal(await takeMeasures(page), 0);
  await page.keyboard.press('ArrowUp');
  assert.equal(await page.evaluate(() => document.activeElement?.className), 'time');
  const arrow = await takeMeasures(page);
  assert.ok(arrow < 40, `${arrow} elements for an arrow key`);

  const first = await page.locator('#rows .row').first().getAttribute('id');
  await page.locator('#scroller').evaluate((box) => box.scrollTo(0, 0));
  await waitUntil('older rows are there', async () => {
    return (await page.locator('#rows .row').first().getAttribute('id')) !== first;
  });
  const paging = await takeMeasures(page);
  assert.ok(paging < 40, `${paging} elements for a page of rows`);
});
