// Whatever people write stays text, and everybody can read it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { post } from '../support/http.ts';
import { need } from '../support/need.ts';
import { projectFolder } from '../support/paths.ts';
import { type Server, startServer } from '../support/server.ts';
import {
  launchBrowser,
  openAs,
  readRows,
  say,
  visit,
  waitForState,
  waitForText,
} from './browser.ts';

const skip = need('chromium');
let browser: Browser;
let server: Server;

before(async () => {
  if (skip) return;
  browser = await launchBrowser();
  server = await startServer();
});
after(async () => {
  await browser?.close();
  await server?.kill();
});

const attacks = [
  '<script>window.hacked = 1</script>',
  '<img src=x onerror="window.hacked = 1">',
  '<svg/onload=window.hacked=1>',
  '"><iframe srcdoc="<script>parent.hacked=1</script>">',
  '</textarea></title></style></script><script>window.hacked=1</script>',
  '<a href="javascript:window.hacked=1">click</a>',
  'javascript:window.hacked=1',
  'https://x.example/"onmouseover="window.hacked=1',
  'https://x.example/<script>window.hacked=1</script>',
  'JaVaScRiPt://%0awindow.hacked=1',
  'data:text/html,<script>parent.hacked=1</script>',
  '{{constructor.constructor("window.hacked=1")()}}',
  `\`\${window.hacked=1}\``,
  '<!--<script>window.hacked=1//-->',
  '&lt;script&gt;window.hacked=1&lt;/script&gt;',
  '<style>*{display:none}</style>',
  '<base href="https://evil.example/">',
  '<meta http-equiv=refresh content="0;url=https://evil.example/">',
  '<form action=https://evil.example/><button>send',
  '\u202Egnp.exe <b dir=rtl>\u2066x',
  '__proto__ constructor toString',
  '%3Cscript%3Ewindow.hacked=1%3C/script%3E',
  '$& $1 \\0 \\u003cscript>',
  '[2018-02-25 14:00:51] admin: forged',
];

test('scripts and markup of every kind stay text, in messages, names and rooms', {
  skip,
}, async () => {
  const room = '<img src=x onerror="window.hacked=1">';
  for (const attack of attacks) {
    const username = attack.replaceAll(': ', ':').slice(0, 60);
    const answer = await post(server, room, { username, message: attack });
    assert.equal(answer.status, 201, answer.text);
  }
  const address = `${server.url}/${encodeURIComponent(room)}`;
  const { page, faults } = await openAs(browser, address, { name: '<b onclick=x>me' });
  const elsewhere: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url)) elsewhere.push(request.url());
  });
  await waitForState(page, 'live');
  for (const attack of attacks) await say(page, `${attack} again`);
  await waitForText(page, `${attacks.at(-1)} again`);
  await page.locator('#words').evaluate((input: HTMLInputElement) => {
    input.value = '<script>';
  });
  await page.keyboard.press('Escape');
  await page.locator('#find-toggle').click();
  await page.locator('#words').fill('<script>');
  await page.locator('#words').press('Enter');
  await page.locator('#hits li').first().waitFor();
  const shown = (await readRows(page)).map(({ message }) => message);
  assert.deepEqual(shown, [...attacks, ...attacks.map((attack) => `${attack} again`)]);
  const made = 'script, iframe, img, svg, style, base, meta, form, input, textarea';
  assert.equal(await page.locator('#rows, #hits, #pending, h1, #rooms').locator(made).count(), 0);
  assert.equal(await page.locator('#rows b, #rows a:not([rel], .time)').count(), 0);
  assert.equal(await page.evaluate('window.hacked'), undefined);
  const links = await page
    .locator('#rows .text a')
    .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href));
  assert.ok(links.length > 0);
  for (const link of links) assert.match(link, /^https:\/\/(x|evil)\.example\//);
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(faults, []);
});

test('right-to-left text and names keep to themselves', { skip }, async () => {
  await post(server, 'rtl', { username: 'יעל', message: 'שלום! (hello) 123' });
  await post(server, 'rtl', { username: '\u202Eevil', message: 'left to right' });
  const { page } = await openAs(browser, `${server.url}/rtl`);
  await waitForText(page, 'left to right');
  const directions = await page
    .locator('#rows .text')
    .evaluateAll((all) => all.map((text) => getComputedStyle(text).direction));
  assert.deepEqual(directions, ['rtl', 'ltr']);
  assert.equal(await page.locator('#rows .row bdi.name').count(), 2);
  // The override in the second name turns nothing outside of it around.
  const boxes = await page
    .locator('.row')
    .nth(1)
    .evaluate((row) => {
      const left = (selector: string) => row.querySelector(selector)!.getBoundingClientRect().left;
      return { name: left('.name'), time: left('.time') };
    });
  assert.ok(boxes.name < boxes.time);
});

test('the page’s own policy forbids everything that it does not need', { skip }, async () => {
  const { page } = await openAs(browser, `${server.url}/policy`);
  const policy = await page
    .locator('meta[http-equiv="Content-Security-Policy"]')
    .getAttribute('content');
  assert.match(policy ?? '', /default-src 'none'/);
  assert.doesNotMatch(policy ?? '', /unsafe|\*|https?:/);
  const refusals = await page.evaluate(async () => {
    const seen: string[] = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      seen.push(event.effectiveDirective),
    );
    const refuse = async (attempt: () => unknown) => {
      try {
        await attempt();
        seen.push('allowed');
      } catch (error) {
        seen.push((error as Error).name);
      }
    };
    const element = document.createElement('div');
    await refuse(() => element.setAttribute('onclick', 'window.hacked = 1'));
    await refuse(() => {
      element.innerHTML = '<b>';
    });
    await refuse(() => fetch('http://127.0.0.2:1/'));
    new Image().src = 'http://127.0.0.2:1/';
    document.body.append(Object.assign(document.createElement('iframe'), { src: '/other' }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    return seen;
  });
  assert.ok(!refusals.includes('allowed'), refusals.join());
  for (const directive of ['connect-src', 'img-src', 'frame-src']) {
    assert.ok(refusals.includes(directive), `${directive} in ${refusals}`);
  }
  assert.equal(await page.evaluate('window.hacked'), undefined);
});

test('all of the page weighs at most 110 KB', () => {
  const folder = join(projectFolder, 'static');
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = files.map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(files.length > 20, `${files.length} files`);
  assert.ok(totalBytes <= 110 * 1024, `${totalBytes} bytes`);
});

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
      const { page } = await openAs(browser, `${server.url}/empty`, seat);
      await waitForState(page, 'live');
      assert.deepEqual(await audit(page), []);
      await visit(page, `${server.url}/axe#15`);
      await page.locator('.target').waitFor();
      await waitForState(page, 'live');
      await page.route('**/chat/*', (route) =>
        route.request().method() === 'POST'
          ? route.fulfill({ status: 400, contentType: 'text/plain', body: 'a reason to fail' })
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
  const { page } = await openAs(browser, `${server.url}/keyboard`, { name: 'me' });
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
