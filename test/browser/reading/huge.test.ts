// A room of a million lines opens, scrolls, is searched and linked to, with few rows in the page.
import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { post } from '../../support/http.ts';
import { type Server, startServer, waitUntil } from '../../support/server.ts';
import {
  openAs,
  readRows,
  say,
  skip,
  useBrowser,
  visit,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

const lineCount = 1_000_000;
let server: Server;
/** Where every hundred-thousandth line begins. */
const marks = new Map<number, number>();

before(async () => {
  if (skip) return;
  server = await startServer();
  writeHugeRoom(join(server.store, 'huge.txt'));
});
after(() => server?.kill());

function writeHugeRoom(path: string): void {
  const file = openSync(path, 'w');
  let offset = 0;
  for (let from = 0; from < lineCount; from += 10_000) {
    const lines: string[] = [];
    let at = offset;
    for (let number = from; number < from + 10_000; number += 1) {
      const special = number % 100_000 === 5 ? ' 🙂 a needle' : '';
      const line = `[2026-01-01 00:00:00] user${number % 7}: שורה ${number}${special}\n`;
      if (number % 100_000 === 0) marks.set(number, at);
      at += Buffer.byteLength(line);
      lines.push(line);
    }
    offset += writeSync(file, lines.join(''));
  }
  closeSync(file);
}

/** Fails unless the rows are few, and one run of consecutive lines. */
async function assertOneRun(page: Page): Promise<number[]> {
  const numbers = (await readRows(page)).map(({ message }) => Number(/\d+/.exec(message)?.[0]));
  assert.ok(numbers.length > 0 && numbers.length <= 2000, `${numbers.length} rows`);
  const [first = 0] = numbers;
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => first + index),
  );
  return numbers;
}

test('it opens at its tail and pages back and forth with few rows in the page', {
  skip,
}, async () => {
  const { page, faults } = await openAs(browser.get(), `${server.url}/huge`, { name: 'me' });
  await waitForText(page, `שורה ${lineCount - 1}`);
  await waitForState(page, 'live');
  const atFirst = await assertOneRun(page);
  assert.equal(atFirst.at(-1), lineCount - 1);
  const scroller = page.locator('#scroller');
  let [first = lineCount] = atFirst;
  for (let step = 0; step < 8; step += 1) {
    const before = first;
    await scroller.evaluate((box) => box.scrollTo(0, 0));
    await waitUntil('older lines are there', async () => {
      [first = lineCount] = await assertOneRun(page);
      return first < before;
    });
  }
  assert.ok(first < lineCount - 3000, `back to line ${first}`);
  // What is said meanwhile is counted, not forced on one who reads further up.
  await post(server, 'huge', { username: 'other', message: `שורה ${lineCount}` });
  await page.getByRole('button', { name: '1 new' }).waitFor();
  const [stillFirst] = await assertOneRun(page);
  assert.equal(stillFirst, first);
  await waitUntil('the end of the room is there', async () => {
    await scroller.evaluate((box) => box.scrollTo(0, box.scrollHeight));
    return (await assertOneRun(page)).at(-1) === lineCount;
  });
  assert.deepEqual(faults, []);
});

test('what one looks at stays in place while older lines come in above it', { skip }, async () => {
  const { page } = await openAs(browser.get(), `${server.url}/huge`, { name: 'me' });
  await waitForState(page, 'live');
  const row = page.locator('#rows .row').nth(5);
  const id = await row.getAttribute('id');
  const before = await row.evaluate((element) => {
    element.scrollIntoView();
    return element.getBoundingClientRect().top;
  });
  await waitUntil(
    'older lines are there',
    async () =>
      (await page.locator('#rows .row').first().getAttribute('id')) !== id &&
      (await page.locator('#rows .row').count()) > 1000,
  );
  const after = await page
    .locator(`#${id}`)
    .evaluate((element) => element.getBoundingClientRect().top);
  assert.ok(Math.abs(after - before) < 2, `moved from ${before} to ${after}`);
});

test('a link to a message opens it with its surroundings', { skip }, async () => {
  const offset = marks.get(500_000);
  const { page } = await openAs(browser.get(), `${server.url}/huge#${offset}`, { name: 'me' });
  const target = page.locator('.row.target');
  await target.waitFor();
  assert.equal(await target.locator('.text').innerText(), 'שורה 500000');
  const numbers = await assertOneRun(page);
  assert.ok(numbers.includes(499_990) && numbers.includes(500_010));
  const isInSight = await target.evaluate((row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return top > 0 && bottom < innerHeight;
  });
  assert.ok(isInSight);
  // One who writes is brought to where their words are.
  await waitForState(page, 'live');
  await say(page, 'written from afar');
  await waitForText(page, 'written from afar');
  await visit(page, `${server.url}/huge#99999999999`);
  await page.getByText('not in this room').waitFor();
});

test('words are found in all of it, with progress, and a hit leads there', { skip }, async () => {
  const { page } = await openAs(browser.get(), `${server.url}/huge`, { name: 'me' });
  await waitForState(page, 'live');
  await page.locator('#find-toggle').click();
  await page.locator('#words').fill('A NEEDLE');
  await page.locator('#words').press('Enter');
  await page.locator('#find-progress').waitFor();
  await page.getByText('10 messages', { exact: true }).waitFor({ timeout: 60_000 });
  assert.equal(await page.locator('#hits li').count(), 10);
  assert.equal(await page.locator('#find-progress').isVisible(), false);
  await page.locator('#hits a').nth(6).click();
  await page.locator('.row.target').waitFor();
  assert.equal(await page.locator('.row.target .text').innerText(), 'שורה 300005 🙂 a needle');
  await assertOneRun(page);
});
