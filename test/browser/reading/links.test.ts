// What is a link in a message, where it leads, and what is not taken over by the page.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { post } from '../../support/http.ts';
import { openAs, serve, skip, useBrowser, waitForText } from '../browser.ts';

const browser = useBrowser();

/** Messages, and the address of the one link in each. */
const links: Record<string, string> = {
  '见https://example.com。谢谢大家': 'https://example.com',
  '见 https://example.com/a，谢谢': 'https://example.com/a',
  '（https://example.com/b）': 'https://example.com/b',
  '「https://example.com/c」です': 'https://example.com/c',
  '【https://example.com/d】': 'https://example.com/d',
  'https://example.com/e！真的？': 'https://example.com/e',
  'https://example.com/f｡ﾊﾝｶｸ': 'https://example.com/f',
  'انظر https://example.com/g، شكرا': 'https://example.com/g',
  'هل https://example.com/h؟': 'https://example.com/h',
  'देखो https://example.com/i। धन्यवाद': 'https://example.com/i',
  '“https://example.com/j”': 'https://example.com/j',
  '‘https://example.com/k’': 'https://example.com/k',
  '„https://example.com/l“': 'https://example.com/l',
  '«https://example.com/m»': 'https://example.com/m',
  '_https://example.com/n_': 'https://example.com/n',
  '**https://example.com/o**': 'https://example.com/o',
  'https://example.com/p…': 'https://example.com/p',
  '(https://example.com/q)': 'https://example.com/q',
  'https://example.com/r_(s)': 'https://example.com/r_(s)',
  'https://de.wikipedia.org/wiki/Übersicht': 'https://de.wikipedia.org/wiki/Übersicht',
  'https://zh.wikipedia.org/wiki/中文': 'https://zh.wikipedia.org/wiki/中文',
  'https://ca.wikipedia.org/wiki/Col·legi': 'https://ca.wikipedia.org/wiki/Col·legi',
};

test('a link ends where its address does, in any script', { skip }, async (t) => {
  const server = await serve(t);
  const lines = [...Object.keys(links), 'xhttps://example.com is none', 'last'];
  const text = lines.map((line) => `[2026-01-01 00:00:00] omri: ${line}\n`).join('');
  writeFileSync(join(server.store, 'links.txt'), text);
  const { page } = await openAs(browser.get(), `${server.url}/links`, { name: 'me' });
  await waitForText(page, 'last');
  const found = await page
    .locator('#rows .text')
    .evaluateAll((rows) =>
      rows.map((row) => [
        row.textContent,
        [...row.querySelectorAll('a')].map((link) => link.getAttribute('href')).join(' '),
      ]),
    );
  const expected = lines.map((line) => [line, links[line] ?? '']);
  assert.deepEqual(found, expected);
});

test('only a link to a message of this room is followed within the page', { skip }, async (t) => {
  const server = await serve(t);
  const elsewhere = [
    `${server.url}/other#38`,
    `${server.url}/static/index.html#38`,
    `${server.url}/here?x#38`,
  ];
  const inside = `${server.url}/here#0`;
  const lines = [...elsewhere, inside, 'last'];
  const text = lines.map((line) => `[2026-01-01 00:00:00] omri: ${line}\n`).join('');
  writeFileSync(join(server.store, 'here.txt'), text);
  const { page } = await openAs(browser.get(), `${server.url}/here`, { name: 'me' });
  await waitForText(page, 'last');
  for (const address of elsewhere) {
    const opened = page.waitForEvent('popup');
    await page.locator('#rows .text a').getByText(address, { exact: true }).click();
    assert.equal((await opened).url(), address);
    assert.equal(page.url(), `${server.url}/here`);
  }
  await page.locator('#rows .text a').getByText(inside, { exact: true }).click();
  await page.locator('#at-0.target').waitFor();
  assert.equal(page.context().pages().length, 1 + elsewhere.length);
});

test('a message of nothing but brackets, or of one name, is shown at once', { skip }, async (t) => {
  const server = await serve(t);
  const texts = [`https://example.com/${')'.repeat(60_000)}`, 'me '.repeat(20_000)];
  const lines = texts.map((text) => `[2026-01-01 00:00:00] other: ${text}\n`);
  writeFileSync(join(server.store, 'steep.txt'), lines.join(''));
  const { page } = await openAs(browser.get(), `${server.url}/steep`, { name: 'me' });
  await page.locator('#rows .row').nth(1).waitFor();
  const link = page.locator('#rows .text a');
  assert.equal(await link.getAttribute('href'), 'https://example.com/');
  assert.equal(await page.locator('#rows mark').count(), 20_000);
});

test('a hit shows no link within its own', { skip }, async (t) => {
  const server = await serve(t);
  await post(server, 'hits', { username: 'other', message: 'see https://example.com/ there' });
  const { page } = await openAs(browser.get(), `${server.url}/hits`, { name: 'me' });
  await waitForText(page, 'see https://example.com/ there');
  await page.locator('#find-toggle').click();
  await page.locator('#words').fill('example');
  await page.locator('#words').press('Enter');
  await page.locator('#hits mark', { hasText: 'example' }).waitFor();
  assert.equal(await page.locator('#hits a').count(), 1);
});
