// Lines that are longer than any message, as files made by hand may have them.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  openSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { waitUntil } from '../../support/server.ts';
import {
  openAs,
  readRows,
  say,
  serve,
  skip,
  useBrowser,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

const NOTE = /too long to be shown/;
const line = (message: string) => `[2026-01-01 00:00:00] other: ${message}\n`;

/** Which of the rows are notes, and what the others say. */
async function readTexts(page: Page): Promise<string[]> {
  const texts = (await readRows(page)).map(({ message }) => message);
  return texts.map((text) => (NOTE.test(text) ? 'a note' : text));
}

// Behind an end that is missing the service takes no message whose cursor is more than 1 MiB before.
for (const [end, sizeBytes] of [
  ['\n', 100 << 20],
  ['', 900 << 10],
] as const) {
  test(`a room that is one line of ${sizeBytes} bytes, ${end ? 'with' : 'without'} its end, opens with a note`, {
    skip,
  }, async (t) => {
    const server = await serve(t);
    const path = join(server.store, 'monster.txt');
    // Sparse: a hundred megabytes of zeros that no disk has to take.
    closeSync(openSync(path, 'w'));
    truncateSync(path, sizeBytes);
    appendFileSync(path, end);
    const { page, faults } = await openAs(browser.get(), `${server.url}/monster`, { name: 'me' });
    await page.locator('#rows .text', { hasText: NOTE }).last().waitFor();
    await waitForState(page, 'live');
    await say(page, 'small');
    await waitForText(page, 'small');
    assert.equal((await readTexts(page)).at(-1), 'small');
    await page.reload();
    await waitForText(page, 'small');
    await page.locator('#rows .text', { hasText: NOTE }).last().waitFor();
    assert.deepEqual((await readTexts(page)).slice(-2), ['a note', 'small']);
    assert.deepEqual(faults, []);
  });
}

test('a long line between others is passed in both directions, and comes live as a note', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const path = join(server.store, 'between.txt');
  const few = Array.from({ length: 50 }, (_, number) => line(`before ${number}`));
  const many = Array.from({ length: 2500 }, (_, number) => line(`after ${number}`));
  writeFileSync(path, [...few, line('x'.repeat(300_000)), ...many].join(''));
  const { page, faults } = await openAs(browser.get(), `${server.url}/between`, { name: 'me' });
  await waitForText(page, 'after 2499');
  await waitForState(page, 'live');
  const scroller = page.locator('#scroller');
  await waitUntil('the beginning is there', async () => {
    await scroller.evaluate((box) => box.scrollTo(0, 0));
    await scroller.dispatchEvent('scroll');
    return (await readTexts(page))[0] === 'before 0';
  });
  const texts = (await readTexts(page)).filter((text, index, all) => text !== all[index - 1]);
  const seen = page.locator('#rows .row.long').filter({ visible: true });
  const heights = await seen.evaluateAll((rows) => rows.map((row) => row.clientHeight));
  assert.equal(heights.filter((height) => height > 3).length, 1, `${heights}`);
  assert.equal(await page.locator('#rows .rule').count(), 1);
  const messages = [...few.keys()].map((number) => `before ${number}`);
  assert.deepEqual(texts.slice(0, 53), [...messages, 'a note', 'after 0', 'after 1']);
  await waitUntil('the end is there', async () => {
    await scroller.evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await scroller.dispatchEvent('scroll');
    const isAtEnd = (await readTexts(page)).at(-1) === 'after 2499';
    return isAtEnd && !(await page.locator('#latest').isVisible());
  });
  const file = openSync(path, 'a');
  for (const size of [100_000, 9 << 20]) {
    writeSync(file, line('y'.repeat(size)) + line(`behind ${size}`));
    await waitForText(page, `behind ${size}`);
    assert.deepEqual((await readTexts(page)).slice(-2), ['a note', `behind ${size}`]);
  }
  closeSync(file);
  await say(page, 'and on');
  await waitForText(page, 'and on');
  assert.deepEqual(faults, []);
});

test('news with a long line among them leave out nothing behind it', { skip }, async (t) => {
  const server = await serve(t);
  const path = join(server.store, 'among.txt');
  writeFileSync(path, line('old'));
  const { page } = await openAs(browser.get(), `${server.url}/among`, { name: 'me' });
  await waitForState(page, 'live');
  await page.context().setOffline(true);
  await waitForState(page, 'offline');
  appendFileSync(path, line('one') + line('z'.repeat(100_000)) + line('two'));
  await page.context().setOffline(false);
  await waitForText(page, 'two');
  await say(page, 'three');
  await waitForText(page, 'three');
  assert.deepEqual((await readTexts(page)).slice(-2), ['two', 'three']);
});
