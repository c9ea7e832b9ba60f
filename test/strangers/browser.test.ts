// The page in a real browser, behind proxies and at names that are not localhost, on port 80 as far as the
// browser knows.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Browser } from 'playwright-core';
import {
  launchBrowser,
  openAs,
  say,
  visit,
  waitForState,
  waitForText,
} from '../browser/browser.ts';
import { need } from '../support/need.ts';
import { type Server, startServer } from '../support/server.ts';
import { programs } from './proxies.ts';
import { type Running, startProxies } from './proxy.ts';

const chosen: Record<string, [program: string, recipe: string]> = {
  'nginx.lan': ['nginx', 'proxy_pass and X-Forwarded-Host'],
  'streams.lan': ['nginx', 'WebSockets, each request upgraded'],
  'cache.lan': ['nginx', 'a cache'],
  'apache.lan': ['Apache', 'ProxyPass alone'],
  'haproxy.lan': ['HAProxy', 'mode http alone'],
  'caddy.lan': ['Caddy', 'reverse_proxy alone'],
  'varnish.lan': ['Varnish', 'a back end alone'],
};
const hidden = 'hidden.lan';

const skip = need('chromium', 'nginx', 'apache2', 'haproxy', 'caddy', 'varnish');
suite('a browser', { skip, concurrency: 4 }, () => {
  let server: Server;
  let browser: Browser;
  const running: Running[] = [];

  before(async () => {
    server = await startServer();
    const all = { ...chosen, [hidden]: ['nginx', 'proxy_pass alone'] };
    const starts = programs.map((program) => {
      const names = Object.values(all).flatMap(([name, recipe]) =>
        name === program.name ? [recipe] : [],
      );
      const recipes = program.recipes.filter(({ name }) => names.includes(name));
      return startProxies({ ...program, recipes }, server.port);
    });
    running.push(...(await Promise.all(starts)));
    const proxies = running.flatMap((one) => one.proxies);
    const rules = Object.entries(all).map(([host, [, recipe]]) => {
      const { port } = proxies.find(({ name }) => name === recipe)!;
      return `MAP ${host} 127.0.0.1:${port}`;
    });
    browser = await launchBrowser(`--host-resolver-rules=${rules.join(',')}`);
  });

  after(async () => {
    await browser?.close();
    for (const one of running) one.stop();
    await server?.kill();
  });

  for (const [host, [program, recipe]] of Object.entries(chosen)) {
    test(`posts through ${program} (${recipe}), sees others live, and reloads`, async () => {
      const url = `http://${host}/${host}`;
      const ann = await openAs(browser, url, { name: 'ann' });
      const ben = await openAs(browser, url, { name: 'ben' });
      for (const { page } of [ann, ben]) await waitForState(page, 'live');
      await say(ann.page, 'hello from ann');
      await waitForText(ben.page, 'hello from ann');
      await say(ben.page, 'and from ben');
      await waitForText(ann.page, 'and from ben');
      await visit(ben.page, url);
      for (const text of ['hello from ann', 'and from ben']) await waitForText(ben.page, text);
      await waitForState(ben.page, 'live');
      assert.deepEqual([...ann.faults, ...ben.faults], []);
      for (const { page } of [ann, ben]) await page.context().close();
    });
  }

  test('is told in the page what a proxy has to hand on', async () => {
    const { page } = await openAs(browser, `http://${hidden}/lobby`, { name: 'ann' });
    await say(page, 'hello');
    await page.getByText('name it in X-Forwarded-Host').first().waitFor();
    await page.context().close();
  });
});
