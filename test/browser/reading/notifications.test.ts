// Notifications: to whom they come, and of what.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../../support/http.ts';
import { waitUntil } from '../../support/server.ts';
import {
  openAs,
  readFile,
  serve,
  skip,
  useBrowser,
  waitForState,
  waitForText,
} from '../browser.ts';

const browser = useBrowser();

/** What a page would show the desktop, and whether it is in the background: both at a test's hand. */
const recordNotifications = `
  let isHidden = false;
  Object.defineProperty(document, 'hidden', { get: () => isHidden });
  const hide = (hidden) => {
    isHidden = hidden;
    document.dispatchEvent(new Event('visibilitychange'));
  };
  const shown = [];
  const answers = ['denied', 'granted'];
  let permission = 'default';
  window.Notification = class extends EventTarget {
    static get permission() { return permission; }
    static async requestPermission() { return (permission = answers.shift()); }
    constructor(title, { body, tag }) {
      super();
      if (body) shown.push({ title, body, tag });
    }
    close() {}
  };
  window.desk = { hide, shown };
`;

/** The desktop of {@link recordNotifications}. */
interface Desk {
  hide(isHidden: boolean): void;
  shown: { title: string; body: string; tag: string }[];
}

test('notifications come only to who asked, in the background, of what others say', {
  skip,
}, async (t) => {
  const server = await serve(t);
  const { page, faults } = await openAs(browser.get(), `${server.url}/bell`, {
    name: 'omri',
    before: recordNotifications,
  });
  await waitForState(page, 'live');
  const hide = (isHidden: boolean) =>
    page.evaluate((hidden) => (window as unknown as { desk: Desk }).desk.hide(hidden), isHidden);
  const readShown = () => page.evaluate(() => (window as unknown as { desk: Desk }).desk.shown);
  const hear = async (message: string, username = 'noa') => {
    await post(server, 'bell', { username, message });
    await waitForText(page, message);
  };
  const bell = page.getByRole('button', { name: 'Notifications' });
  const isPressed = async () => (await bell.getAttribute('aria-pressed')) === 'true';

  await hide(true);
  await hear('nobody asked');
  await bell.click();
  await page.getByText('doesn’t allow notifications').waitFor();
  assert.equal(await isPressed(), false, 'the browser said no');
  await hear('nor is it allowed');
  await bell.click();
  await waitUntil('the bell is on', isPressed);
  await hide(false);
  await hear('in plain sight');
  await hide(true);
  await hear('from another tab of mine', 'omri');
  assert.deepEqual(await readShown(), []);

  const start = readFile(server.store, 'bell').at(-1)!.start;
  await hear('look here');
  const shown = await readShown();
  assert.deepEqual(
    shown.map(({ title, body }) => [title, body]),
    [['bell', 'noa: look here']],
  );
  assert.match(shown[0]!.tag, /^bell#\d+$/);
  assert.ok(Number(shown[0]!.tag.slice(5)) > start, 'the same tag in every tab: the line’s place');

  await bell.click();
  await waitUntil('the bell is off', async () => !(await isPressed()));
  await hear('quiet again');
  assert.equal((await readShown()).length, 1);
  assert.deepEqual(faults, []);
});
