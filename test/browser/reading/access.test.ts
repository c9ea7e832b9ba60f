// Everybody can read and write: with every colour scheme, screen and keyboard.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { post } from '../../support/http.ts';
import { type Server, startServer } from '../../support/server.ts';
import { openAs, say, skip, useBrowser, visit, waitForState } from '../browser.ts';

const browser = useBrowser();

let server: Server;
before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.kill());

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Axe {
  run(): Promise<{
    violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
  }>;
}

/** What axe finds wrong, as sentences. */
async function audit(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate(() => (window as unknown as { axe: Axe }).axe.run());
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`),
  );
}

const desktop = { width: 1200, height: 800 };
const phone = { width: 360, height: 740 };
for (const colorScheme of ['light', 'dark'] as const) {
  for (const viewport of [desktop, phone]) {
    const where = viewport === phone ? 'a phone' : 'a desktop';
    test(`axe finds nothing on ${where} in ${colorScheme}`, { skip }, async () => {
      const names = ['omri', 'dana', 'יעל', 'mara', 'Jean-Baptiste', 'x', 'Q', 'zoë', '山田', 'b4'];
      const lines = names.map(
        (name, number) =>
          `[2026-11-2${number % 2} 09:0${number}:00] ${name}: hi @me https://example.org/ ${number}`,
      );
      writeFileSync(join(server.store, 'axe.txt'), `made by hand\n${lines.sort().join('\n')}\n`);
      const seat = { name: 'me', colorScheme, viewport, before: axe };
      const { page } = await openAs(browser.get(), `${server.url}/empty`, seat);
      await waitForState(page, 'live');
      assert.deepEqual(await audit(page), []);
      await visit(page, `${server.url}/axe#15`);
      await page.locator('.target').waitFor();
      await waitForState(page, 'live');
      await page.route('**/chat/*', (route) =>
        route.request().method() === 'POST'
          ? route.fulfill({
              status: 400,
              contentType: 'text/plain',
              headers: { 'Chat-Server': 'a' },
              body: 'a reason to fail',
            })
          : route.continue(),
      );
      await say(page, 'not to be sent');
      await page.locator('.failed').waitFor();
      await page.locator('#message').fill('x'.repeat(4001));
      await page.locator('#find-toggle').click();
      await page.locator('#words').fill('hi');
      await page.locator('#words').press('Enter');
      await page.locator('#hits li').first().waitFor();
      assert.deepEqual(await audit(page), []);
      await page.locator('#find-close').click();
      if (viewport === phone) await page.locator('#menu').click();
      await page.locator('#rename').dispatchEvent('click');
      await page.locator('#room').fill('..');
      await page.locator('#room').press('Enter');
      assert.deepEqual(await audit(page), []);
    });
  }
}

test('the keyboard alone reaches rooms, messages, their links, and writing', { skip }, async () => {
  await post(server, 'keyboard', { username: 'a', message: 'first' });
  await post(server, 'keyboard', { username: 'a', message: 'second' });
  const { page } = await openAs(browser.get(), `${server.url}/keyboard`, { name: 'me' });
  await waitForState(page, 'live');
  await page.locator('#scroller').focus();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.locator('#at-0.target').waitFor();
  assert.match(page.url(), /\/keyboard#0$/);
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'words');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#finder').isVisible(), false);
  const visited: string[] = [];
  for (let step = 0; step < 14; step += 1) {
    await page.keyboard.press('Tab');
    visited.push(await page.evaluate(() => document.activeElement?.id ?? ''));
  }
  for (const id of ['message', 'rename', 'room', 'scroller'])
    assert.ok(visited.includes(id), `${id} in ${visited}`);
});
