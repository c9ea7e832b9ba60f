// What messages look like, when they were written, and which of them are new.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { post } from '../../support/http.ts';
import {
  openAs,
  readRows,
  serve,
  skip,
  useBrowser,
  visit,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

test('links, mentions, days, names and line breaks are shown as such', { skip }, async (t) => {
  const server = await serve(t);
  const lines = [
    '[2018-02-25 23:58:51] omri: hi everybody!',
    '[2018-02-25 23:59:30] omri: see https://example.org/a_(b)?c=1&d=2, ok? javascript:alert(1)',
    '[2018-02-26 00:01:00] omri: @Dana and dana, not Danaë',
    '[2018-02-26 00:02:00] יעל: שלום',
    'made by hand',
    '[2018-02-26 00:02:10] יעל: one↵two',
  ];
  writeFileSync(join(server.store, 'look.txt'), `${lines.join('\n')}\nno end yet`);
  const { page } = await openAs(browser.get(), `${server.url}/look`, {
    name: 'Dana',
    timezoneId: 'Asia/Jerusalem',
  });
  await waitForText(page, 'made by hand');
  await waitForText(page, 'no end yet');
  const link = page.locator('#rows .text a');
  assert.equal(await link.count(), 1);
  assert.equal(await link.getAttribute('href'), 'https://example.org/a_(b)?c=1&d=2');
  assert.deepEqual(await page.locator('#rows mark').allInnerTexts(), ['@Dana', 'dana']);
  // In Jerusalem all of it is on the 26th, and the stored time is still there to see.
  assert.match(
    (await page.locator('.rule').allInnerTexts()).join('|'),
    /^Monday,? 26 February 2018$/,
  );
  const time = page.locator('#rows time').first();
  assert.equal(await time.innerText(), '01:58');
  assert.equal(await time.getAttribute('datetime'), '2018-02-25T23:58:51.000Z');
  assert.equal(await time.getAttribute('title'), '2018-02-25 23:58:51 as stored');
  assert.equal(await page.locator('.row.head').count(), 3);
  for (const part of await page.locator('#rows .text').all()) {
    assert.equal(await part.getAttribute('dir'), 'auto');
  }
  await post(server, 'look', { username: 'omri', message: 'and on' });
  await waitForText(page, 'and on');
  assert.deepEqual((await readRows(page)).map(({ message }) => message).slice(-2), [
    'no end yet',
    'and on',
  ]);
});

test('times of a server in another zone are the reader’s own, in summer and in winter', {
  skip,
}, async (t) => {
  const server = await serve(t, { env: { TZ: 'America/New_York' } });
  const lines = ['2026-01-15 09:00:00', '2026-03-08 03:00:00', '2026-07-15 09:00:00'];
  const text = lines.map((time) => `[${time}] omri: ${time}\n`).join('');
  writeFileSync(join(server.store, 'zone.txt'), text);
  const { page } = await openAs(browser.get(), `${server.url}/zone`, {
    timezoneId: 'Europe/Berlin',
  });
  await waitForText(page, lines[2]!);
  const times = page.locator('#rows time');
  assert.deepEqual(
    await times.evaluateAll((all) => all.map((one) => one.getAttribute('datetime'))),
    ['2026-01-15T14:00:00.000Z', '2026-03-08T07:00:00.000Z', '2026-07-15T13:00:00.000Z'],
  );
  assert.deepEqual(await times.allInnerTexts(), ['15:00', '08:00', '15:00']);
  // An answer that says nothing of the zone changes nothing, and no row is made anew.
  const row = await page.locator('#rows .row').first().elementHandle();
  const isOld = page.waitForResponse((answer) => answer.status() === 304);
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await isOld;
  await waitForState(page, 'live');
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  assert.ok(await row?.evaluate((element) => element.isConnected));
  assert.deepEqual(await times.allInnerTexts(), ['15:00', '08:00', '15:00']);
});

test('unread messages are counted in the title, divided from the read, and marked on other rooms', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const fill = async (room: string, from: number, to: number) => {
    for (let number = from; number < to; number += 1) {
      await post(server, room, { username: 'other', message: `news ${number}` });
    }
  };
  await fill('busy', 0, 40);
  const { page } = await openAs(browser.get(), `${server.url}/busy`, { name: 'me' });
  await waitForText(page, 'news 39');
  await waitForState(page, 'live');
  await page.locator('#scroller').hover();
  await page.mouse.wheel(0, -600);
  await page.locator('#latest').waitFor();
  await fill('busy', 40, 43);
  await page.getByRole('button', { name: '3 new' }).waitFor();
  assert.equal(await page.title(), '(3) busy');
  assert.equal(await page.locator('.row:has(.divider) .text').innerText(), 'news 40');
  await page.locator('#latest').click();
  await page.locator('#latest').waitFor({ state: 'hidden' });
  assert.equal(await page.title(), 'busy');
  await visit(page, `${server.url}/quiet`);
  await fill('busy', 43, 45);
  await page.reload();
  await page.locator('#rooms .news').waitFor();
  assert.match(await page.locator('#rooms li:has(.news)').innerText(), /^busy/);
  await visit(page, `${server.url}/busy`);
  await waitForText(page, 'news 44');
  assert.equal(await page.locator('.row:has(.divider) .text').innerText(), 'news 43');
});
