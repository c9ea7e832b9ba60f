// The page in a real Chromium, through nginx, with replicas behind it that change.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Browser } from 'playwright-core';
import {
  launchBrowser,
  openAs,
  type Person,
  say,
  waitForState,
  waitForText,
} from '../browser/browser.ts';
import { read } from '../support/http.ts';
import { need } from '../support/need.ts';
import { docker, openStack, type Stack } from './stack.ts';

const conversation = [
  ...['hi everybody!', 'hi omri', 'hello you two', 'which server are you on?'],
  ...['it says so at the lower left', 'mine is another one, and I see the same room'],
  ...['so do I: each message of mine goes to the next one', 'and if one of them dies?'],
  ...['docker kill it, and write on', 'I did. Did you notice?', 'not a thing'],
  ...['then let’s have ten: --scale chat=10'],
];

suite('the page', { skip: need('chromium') }, () => {
  let stack: Stack;
  let browser: Browser;

  before(async () => {
    stack = await openStack();
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await stack?.remove();
  });

  const openRoom = (room: string, name: string) =>
    openAs(browser, `http://127.0.0.1:${stack.port}/${room}`, {
      name,
      viewport: { width: 1000, height: 560 },
    });

  test('names the replica that answered, and sees what is said through any', async () => {
    const hosts = (await stack.containers('chat')).map(({ details }) => details.Config.Hostname);
    assert.equal(hosts.length, 3);
    const people: Person[] = [];
    for (const name of ['omri', 'noa', 'dana']) people.push(await openRoom('general', name));
    for (const { page } of people) await waitForState(page, 'live');
    const named = new Set<string>();
    const lookAt = async (page: Person['page']) => {
      const text = await page.locator('#servers').innerText();
      for (const host of hosts) if (text.includes(host)) named.add(host);
    };
    for (let n = 0; n < 12; n += 1) {
      const message = conversation[n]!;
      await say(people[n % 3]!.page, message);
      for (const { page } of people) await waitForText(page, message);
      await lookAt(people[0]!.page);
    }
    // Whose turn a replica is, is nginx's to say: a few more words until each has had one of this page.
    for (let n = 1; n < 30 && named.size < 3; n += 1) {
      await say(people[0]!.page, `are you there, ${n}?`);
      await waitForText(people[0]!.page, `are you there, ${n}?`);
      await lookAt(people[0]!.page);
    }
    assert.equal(named.size, 3, `named: ${[...named].join(', ')}`);
    const lines = (await read(stack, 'general')).text.split('\n');
    assert.deepEqual(
      lines.slice(0, conversation.length).map((line) => line.replace(/^.*?: /, '')),
      conversation,
    );
    assert.match(await people[0]!.page.locator('#servers-seen').innerText(), /^3 /);
    const folder = process.env.CHAT_TEST_SCREENSHOTS;
    if (folder) {
      mkdirSync(folder, { recursive: true });
      await people[0]!.page.screenshot({ path: join(folder, 'replicas.png') });
    }
    for (const { page, faults } of people) {
      assert.deepEqual(faults, []);
      await page.context().close();
    }
  });

  test('goes on by itself while every replica is restarted', async () => {
    const writer = await openRoom('restarted', 'omri');
    const reader = await openRoom('restarted', 'noa');
    for (const { page } of [writer, reader]) await waitForState(page, 'live');
    let count = 0;
    for (const { id } of await stack.containers('chat')) {
      const isBack = docker('restart', id);
      for (let n = 0; n < 5; n += 1) {
        count += 1;
        await say(writer.page, `message ${count}`);
        await waitForText(reader.page, `message ${count}`);
      }
      await isBack;
    }
    await waitForState(reader.page, 'live');
    const lines = (await read(stack, 'restarted')).text.split('\n').slice(0, -1);
    assert.deepEqual(
      lines.map((line) => line.replace(/^\[.*?\] /, '')),
      Array.from({ length: 15 }, (_, n) => `omri: message ${n + 1}`),
    );
    assert.deepEqual([...writer.faults, ...reader.faults], []);
  });
});
