// Text as people see it: marks, forms and scripts of every kind, shown and found.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
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

/** The pixels of the row that has a text. */
async function photograph(page: Page, text: string): Promise<Buffer> {
  const box = await page.locator('#rows .row', { hasText: text }).boundingBox();
  assert.ok(box);
  const clip = { x: 0, y: box.y + 2, width: box.width, height: box.height - 4 };
  return page
    .locator('#scroller')
    .page()
    .screenshot({ clip: { ...clip, x: box.x } });
}

test('marks that are stacked a hundred high paint over no other row', { skip }, async (t) => {
  const server = await serve(t);
  const stack = `e${'\u0301\u0323'.repeat(100)}`;
  const write = (room: string, name: string, message: string) => {
    const says = ['one: above', `${name}: ${message}`, 'two: below'];
    const lines = says.map((line) => `[2026-01-01 00:00:00] ${line}\n`);
    writeFileSync(join(server.store, `${room}.txt`), lines.join(''));
  };
  const seat = { name: 'me', viewport: { width: 900, height: 600 } };
  const photos: Buffer[][] = [];
  for (const [room, mark] of [
    ['plain', 'e'],
    ['stacked', stack],
  ] as const) {
    write(room, `x${mark}`, `y${mark}`);
    const { page } = await openAs(browser.get(), `${server.url}/${room}`, seat);
    await waitForText(page, 'below');
    await waitForState(page, 'live');
    photos.push([await photograph(page, 'above'), await photograph(page, 'below')]);
  }
  const [plain, stacked] = photos;
  assert.ok(plain![0]!.equals(stacked![0]!), 'the row above looks the same');
  assert.ok(plain![1]!.equals(stacked![1]!), 'the row below looks the same');
});

test('marks in a room’s name paint over no message', { skip }, async (t) => {
  const server = await serve(t);
  const photos: Buffer[] = [];
  const seat = { name: 'me', viewport: { width: 900, height: 600 } };
  for (const room of ['x', `x${'\u0323'.repeat(36)}`]) {
    const url = `${server.url}/${encodeURIComponent(room)}`;
    const { page } = await openAs(browser.get(), url, seat);
    await waitForState(page, 'live');
    await say(page, 'hi');
    await waitForText(page, 'hi');
    await page.locator('#rows time').evaluate((time) => time.remove());
    photos.push(await photograph(page, 'hi'));
  }
  assert.ok(photos[0]!.equals(photos[1]!));
});

test('a byte order mark at the beginning of a file is not part of its first line', {
  skip,
}, async (t) => {
  const server = await serve(t);
  writeFileSync(join(server.store, 'bom.txt'), '\uFEFF[2026-01-01 00:00:00] omri: hi\n');
  const { page } = await openAs(browser.get(), `${server.url}/bom`, { name: 'me' });
  await waitForText(page, 'hi');
  assert.deepEqual(await readRows(page), [{ start: 0, name: 'omri', message: 'hi' }]);
});

/** A message, words that find it, and what is marked in it. */
const finds: [message: string, words: string, marked: string][] = [
  ['the cafe\u0301 opens', 'CAFÉ O', 'cafe\u0301 o'],
  ['das Café schließt', 'cafe\u0301 s', 'Café s'],
  ['İstanbul calling', 'istanbul', 'İstanbul'],
  ['an oﬃce of ﬁne things', 'office of fine', 'oﬃce of ﬁne'],
  ['ｆｕｌｌ width', 'full', 'ｆｕｌｌ'],
  ['Ὀδυσσεύς went home', 'ὈΔΥΣΣΕΎΣ', 'Ὀδυσσεύς'],
  ['die Straße', 'STRASSE', 'Straße'],
  ['broken↵in two', 'broken in', 'broken in'],
  ['\u1112\u1161\u11ab\u1100\u1173\u11af here', '한글', '\u1112\u1161\u11ab\u1100\u1173\u11af'],
];

test('words are found in another case, form or width, and across line breaks', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const lines = finds.map(([message]) => `[2026-01-01 00:00:00] omri: ${message}\n`);
  writeFileSync(join(server.store, 'find.txt'), lines.join(''));
  const { page } = await openAs(browser.get(), `${server.url}/find`, { name: 'me' });
  await waitForState(page, 'live');
  await page.locator('#find-toggle').click();
  for (const [message, words, marked] of finds) {
    await page.locator('#words').fill(words);
    await page.locator('#words').press('Enter');
    await page.locator('#find-summary', { hasText: /message/ }).waitFor();
    const hits = await page.locator('#hits .excerpt').allTextContents();
    assert.deepEqual(hits, [message.replace('↵', ' ')], words);
    assert.deepEqual(await page.locator('#hits mark').allTextContents(), [marked], words);
  }
  await page.locator('#words').fill('nowhere');
  await page.locator('#words').press('Enter');
  await page.getByText('No messages').waitFor();
});
