// Writing: who one is, the keys that send, drafts, and what the server refuses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  openAs,
  readFile,
  readPending,
  readRows,
  say,
  serve,
  skip,
  useBrowser,
  visit,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

test('the page asks for a name once, in the page itself', { skip }, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/`);
  assert.equal(await page.locator('#composer').isVisible(), false);
  // The field is ready to be written in.
  await page.locator('#name:focus').waitFor();
  await page.keyboard.type('me: you');
  await page.keyboard.press('Enter');
  assert.match(await page.locator('#name-fault').innerText(), /: /);
  await page.locator('#name').fill('\u3164\u200b');
  await page.locator('#name').press('Enter');
  assert.match(await page.locator('#name-fault').innerText(), /shows/);
  await page.locator('#name').fill('  omri ');
  await page.locator('#name').press('Enter');
  await say(page, 'hi everybody!');
  await waitForText(page, 'hi everybody!');
  assert.deepEqual(await readRows(page), [{ start: 0, name: 'omri', message: 'hi everybody!' }]);
  await page.reload();
  await page.locator('#message').waitFor();
  assert.equal(await page.locator('#me').innerText(), 'omri');
});

test('Enter sends, Shift+Enter breaks the line, and Enter in an input method does neither', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/keys`, { name: 'omri' });
  await waitForState(page, 'live');
  await page.locator('#message').focus();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Input.imeSetComposition', {
    text: 'にほん',
    selectionStart: 3,
    selectionEnd: 3,
  });
  await page.locator('#message').dispatchEvent('keydown', { key: 'Enter', isComposing: true });
  await page.locator('#message').dispatchEvent('keydown', { key: 'Enter', keyCode: 229 });
  assert.equal(await page.locator('#message').inputValue(), 'にほん');
  assert.deepEqual(await readPending(page), []);
  await devtools.send('Input.insertText', { text: '日本' });
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await page.locator('#rows .text br').waitFor({ state: 'attached' });
  assert.equal(await page.locator('#rows .text').innerText(), '日本\ntwo');
  assert.deepEqual(
    readFile(server.store, 'keys').map(({ message }) => message),
    ['日本↵two'],
  );
});

test('on a phone Enter breaks the line, and the button sends', { skip }, async (t) => {
  const server = await serve(t);
  const phone = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true };
  const { page } = await openAs(browser.get(), `${server.url}/phone`, { name: 'omri', ...phone });
  await waitForState(page, 'live');
  await page.locator('#message').tap();
  await page.keyboard.type('one');
  await page.keyboard.press('Enter');
  await page.keyboard.type('two');
  await page.getByRole('button', { name: 'Send' }).tap();
  await page.locator('#rows .text br').waitFor({ state: 'attached' });
  assert.deepEqual(
    readFile(server.store, 'phone').map(({ message }) => message),
    ['one↵two'],
  );
});

test('each room keeps its draft through a reload, and counts near the limit', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/one`, { name: 'omri' });
  await page.locator('#message').fill('half a thought');
  await visit(page, `${server.url}/two`);
  await page.locator('#message').waitFor();
  assert.equal(await page.locator('#message').inputValue(), '');
  await visit(page, `${server.url}/one`);
  await page.locator('#message').waitFor();
  assert.equal(await page.locator('#message').inputValue(), 'half a thought');
  await page.locator('#message').fill('😀'.repeat(3999));
  assert.equal(await page.locator('#counter').innerText(), '1 left');
  await page.locator('#message').fill('😀'.repeat(4001));
  assert.equal(await page.locator('#counter').innerText(), '1 too many');
  await page.locator('#message').press('Enter');
  assert.deepEqual(await readPending(page), []);
  await say(page, '😀'.repeat(4000));
  await waitForText(page, '😀'.repeat(4000));
});

test('a message that shows nothing is not sent, and one is sent without its last line breaks', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page } = await openAs(browser.get(), `${server.url}/blank`, { name: 'omri' });
  await waitForState(page, 'live');
  for (const blank of ['\u200b', ' \u3164\n\u2800', '\u00ad\u{e0041}']) {
    await say(page, blank);
    assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled());
    assert.equal(await page.locator('#message').inputValue(), blank);
  }
  await say(page, '\n\u200bwords\n\n');
  await waitForText(page, 'words');
  await page.locator('#pending .pending').waitFor({ state: 'detached' });
  const [line, ...others] = readFile(server.store, 'blank');
  assert.equal(line!.message, '\u200bwords');
  assert.deepEqual(others, []);
});

test('a message that the server refuses keeps its text and says why', { skip }, async (t) => {
  const server = await serve(t);
  // No browser's own page can send such a name; a fault in ours must still show.
  const { page } = await openAs(browser.get(), `${server.url}/no`, { name: 'a: b' });
  await waitForState(page, 'live');
  await say(page, 'precious words');
  const failed = page.locator('#pending .failed');
  await failed.waitFor();
  assert.match(await failed.locator('.reason').innerText(), /^Not sent\. .*username/);
  await page.getByRole('button', { name: 'Edit' }).click();
  assert.equal(await page.locator('#message').inputValue(), 'precious words');
  assert.deepEqual(readFile(server.store, 'no'), []);
});
