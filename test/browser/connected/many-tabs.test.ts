// What one tab keeps for itself, and what all tabs of a browser know.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { post } from '../../support/http.ts';
import { waitUntil } from '../../support/server.ts';
import {
  openAs,
  readFile,
  readPending,
  readRows,
  type Seat,
  say,
  serve,
  skip,
  useBrowser,
  visit,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

/** Some tabs of one browser in one room. */
async function openTabs(t: TestContext, count: number, seat: Seat = {}) {
  const server = await serve(t);
  const url = `${server.url}/tabs`;
  const { page } = await openAs(browser.get(), url, { name: 'me', ...seat });
  t.after(() => page.context().close());
  const pages = [page];
  while (pages.length < count) {
    const tab = await page.context().newPage();
    await visit(tab, url);
    pages.push(tab);
  }
  for (const tab of pages) await waitForState(tab, 'live');
  return { server, url, pages, context: page.context() };
}

const readDraft = (page: Page) => page.locator('#message').inputValue();

test('a draft is its tab’s own while it is written', { skip }, async (t) => {
  const { pages, url, context } = await openTabs(t, 2);
  const [one, other] = pages as [Page, Page];
  await one.locator('#message').fill('a long thought that took an hour');
  await say(other, 'short');
  await waitForText(other, 'short');
  await one.reload();
  await waitForState(one, 'live');
  assert.equal(await readDraft(one), 'a long thought that took an hour');
  assert.equal(await readDraft(other), '');
  // A tab that closes leaves its draft to the next one, once.
  await one.close({ runBeforeUnload: true });
  await waitUntil('the draft is left', () =>
    other.evaluate(() => localStorage.getItem('chat.draft.tabs') !== null),
  );
  const next = await context.newPage();
  await visit(next, url);
  assert.equal(await readDraft(next), 'a long thought that took an hour');
  await say(next, 'a long thought that took an hour');
  await waitForText(next, 'a long thought that took an hour');
  await next.close({ runBeforeUnload: true });
  await waitUntil('closed', () => next.isClosed());
  await other.reload();
  await waitForState(other, 'live');
  assert.equal(await readDraft(other), '');
});

test('a draft that was reloaded and then sent comes back nowhere', { skip }, async (t) => {
  const { pages, url, context } = await openTabs(t, 1);
  const [page] = pages as [Page];
  await page.locator('#message').fill('half a thought');
  await page.reload();
  await waitForState(page, 'live');
  await say(page, await readDraft(page));
  await waitForText(page, 'half a thought');
  const next = await context.newPage();
  await visit(next, url);
  assert.equal(await readDraft(next), '');
});

test('a new name is known to all tabs', { skip }, async (t) => {
  const { server, pages } = await openTabs(t, 2, { name: 'old' });
  const [one, other] = pages as [Page, Page];
  await one.locator('#rename').click();
  await one.locator('#name').fill('new');
  await one.locator('#name').press('Enter');
  await other.locator('#me', { hasText: 'new' }).waitFor();
  await say(other, 'who am I?');
  await waitForText(one, 'who am I?');
  assert.equal(readFile(server.store, 'tabs')[0]!.name, 'new');
});

/** Whether the page is seen, and what it shows the desktop: at a test's hand. */
const desk = `
  const desk = { isHidden: false, hasFocus: true, open: [] };
  window.desk = desk;
  Object.defineProperty(document, 'hidden', { get: () => desk.isHidden });
  document.hasFocus = () => desk.hasFocus;
  window.Notification = class extends EventTarget {
    static permission = 'granted';
    static requestPermission = async () => 'granted';
    constructor(title, { body }) { super(); this.body = body; desk.open.push(this); }
    close() { desk.open.splice(desk.open.indexOf(this), 1); }
  };
  if (!localStorage.getItem('chat.notify')) localStorage.setItem('chat.notify', 'true');
`;

interface Desk {
  isHidden: boolean;
  hasFocus: boolean;
  open: { body: string }[];
}

/** Puts the page into the background or to the front, as a person does. */
function place(page: Page, state: Partial<Desk>): Promise<void> {
  return page.evaluate((change) => {
    Object.assign((window as unknown as { desk: Desk }).desk, change);
    document.dispatchEvent(new Event('visibilitychange'));
    window.dispatchEvent(new Event(document.hasFocus() ? 'focus' : 'blur'));
  }, state);
}

const readNotifications = (page: Page) =>
  page.evaluate(() => (window as unknown as { desk: Desk }).desk.open.map(({ body }) => body));

test('a window that is in sight without the focus has read nothing', { skip }, async (t) => {
  const { server, pages } = await openTabs(t, 1, { before: desk });
  const [page] = pages as [Page];
  await post(server, 'tabs', { username: 'other', message: 'seen' });
  await waitForText(page, 'seen');
  assert.equal(await page.title(), 'tabs');
  await place(page, { hasFocus: false });
  await post(server, 'tabs', { username: 'other', message: 'unseen' });
  await waitForText(page, 'unseen');
  assert.equal(await page.title(), '(1) tabs');
  assert.equal(await page.locator('.row:has(.divider) .text').innerText(), 'unseen');
  await place(page, { hasFocus: true });
  await waitUntil('read', async () => (await page.title()) === 'tabs');
  assert.equal(await page.locator('.row:has(.divider) .text').innerText(), 'unseen');
});

test('a notification is closed when its message is read, in whichever tab', { skip }, async (t) => {
  const { server, pages } = await openTabs(t, 2, { before: desk });
  const [one, other] = pages as [Page, Page];
  for (const page of pages) await place(page, { isHidden: true });
  const hear = async (message: string) => {
    await post(server, 'tabs', { username: 'noa', message });
    for (const page of pages) await waitForText(page, message);
  };
  await hear('first');
  assert.deepEqual(await readNotifications(one), ['noa: first']);
  await place(one, { isHidden: false });
  assert.deepEqual(await readNotifications(one), []);
  await place(one, { isHidden: true });
  await hear('second');
  assert.deepEqual(await readNotifications(one), ['noa: second']);
  await place(other, { isHidden: false });
  await waitUntil('closed', async () => (await readNotifications(one)).length === 0);
  await hear('third');
  await waitUntil('closed at once', async () => (await readNotifications(one)).length === 0);
});

test('over plain HTTP a tab in the background counts what is said', { skip }, async (t) => {
  const before = `${desk} delete Navigator.prototype.locks;`;
  const { server, pages } = await openTabs(t, 1, { before });
  const [page] = pages as [Page];
  await post(server, 'tabs', { username: 'other', message: 'before' });
  await waitForText(page, 'before');
  await place(page, { isHidden: true });
  await post(server, 'tabs', { username: 'other', message: 'meanwhile' });
  await waitUntil('counted', async () => (await page.title()) === '(1) tabs');
  assert.equal(await page.locator('.row:has(.divider) .text').innerText(), 'meanwhile');
  await place(page, { isHidden: false });
  await waitForState(page, 'live');
  assert.equal(await page.title(), 'tabs');
});

/** What stops all scripts of a tab and lets it keep its lock; each gives the way to go on. */
const halts: Record<string, (page: Page) => Promise<() => Promise<void>>> = {
  'shows a dialog': async (page) => {
    const opened = page.waitForEvent('dialog');
    page.on('dialog', () => {});
    const alerting = page.evaluate(() => alert('stop'));
    const dialog = await opened;
    return async () => {
      await dialog.accept();
      await alerting;
    };
  },
  'is paused': async (page) => {
    const session = await page.context().newCDPSession(page);
    await session.send('Debugger.enable');
    const paused = new Promise((resolve) => session.once('Debugger.paused', resolve));
    await session.send('Debugger.pause');
    const working = page.evaluate(() => 1);
    await paused;
    return async () => {
      await session.send('Debugger.resume');
      await working;
    };
  },
};
for (const [words, halt] of Object.entries(halts)) {
  test(`while the tab that holds the stream ${words}, the others hear all the same`, {
    skip,
  }, async (t) => {
    const server = await serve(t);
    const url = `${server.url}/still`;
    const { page: leader } = await openAs(browser.get(), url, { name: 'me' });
    t.after(() => leader.context().close());
    await waitForState(leader, 'live');
    const follower = await leader.context().newPage();
    await visit(follower, url);
    await waitForState(follower, 'live');
    const goOn = await halt(leader);
    t.after(() => goOn().catch(() => {}));
    await post(server, 'still', { username: 'other', message: 'anybody there?' });
    await waitForText(follower, 'anybody there?', 15_000);
    await waitForState(follower, 'polling');
    await goOn();
    await waitForText(leader, 'anybody there?');
    await waitForState(follower, 'live');
    assert.equal((await readRows(follower)).length, 1);
    assert.deepEqual(await readPending(follower), []);
  });
}
