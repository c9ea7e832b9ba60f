// Whatever people write stays text.
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { post } from '../../support/http.ts';
import { projectFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';
import { openAs, readRows, say, skip, useBrowser, waitForState, waitForText } from '../browser.ts';

const browser = useBrowser();

let server: Server;
before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.kill());

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
  const { page, faults } = await openAs(browser.get(), address, { name: '<b onclick=x>me' });
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
  const { page } = await openAs(browser.get(), `${server.url}/rtl`);
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
  const { page } = await openAs(browser.get(), `${server.url}/policy`);
  const policy = await page
    .locator('meta[http-equiv="Content-Security-Policy"]')
    .getAttribute('content');
  assert.match(policy ?? '', /default-src 'none'/);
  assert.doesNotMatch(policy ?? '', /unsafe|\*|https?:/);
  const refusals = await page.evaluate(async () => {
    const seen: string[] = [];
    const refused = new Promise<void>((resolve) => {
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
        seen.push(effectiveDirective);
        if (['connect', 'img', 'frame'].every((kind) => seen.includes(`${kind}-src`))) resolve();
      });
    });
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
    await refused;
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
