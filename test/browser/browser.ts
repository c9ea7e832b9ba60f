// A real Chromium, and what tests want of the page in it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findChromium, need } from '../support/need.ts';
import { type Server, type ServerOptions, startServer } from '../support/server.ts';
import { type BadProxy, startProxy } from './proxy.ts';

const flags =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking ' +
  '--disable-component-update --disable-sync';

/** Starts Chromium, with these flags beside its usual ones; the caller closes it. */
export function launchBrowser(...more: string[]): Promise<Browser> {
  const args = [...flags.split(' '), ...more];
  return chromium.launch({ executablePath: findChromium() ?? '', args });
}

/** Whether the tests of a browser are skipped here, and why. */
export const skip = need('chromium');

/** One Chromium for all tests of a file. */
export function useBrowser(): { get(): Browser } {
  let browser: Browser | undefined;
  before(async () => {
    if (!skip) browser = await launchBrowser();
  });
  after(() => browser?.close());
  return {
    get: () => {
      assert.ok(browser, 'the browser has started');
      return browser;
    },
  };
}

/** A service that is gone with the test. */
export async function serve(t: TestContext, options: ServerOptions = {}): Promise<Server> {
  const server = await startServer(options);
  t.after(() => server.kill());
  return server;
}

/** A service and a wire to it that can be bad, both gone with the test. */
export async function serveBadly(t: TestContext): Promise<{ server: Server; proxy: BadProxy }> {
  const server = await serve(t);
  const proxy = await startProxy(server.port);
  t.after(() => proxy.close());
  return { server, proxy };
}

/** A person at a browser of their own. */
export interface Person {
  page: Page;
  /** Errors no script caught, and refusals of the page's own Content-Security-Policy. */
  faults: string[];
}

/** How a person sits down. */
export interface Seat extends BrowserContextOptions {
  name?: string;
  /** A script that runs before the page's. */
  before?: string;
}

/** Opens a page in a browser profile of its own, as somebody who has already chosen a name. */
export async function openAs(browser: Browser, url: string, seat: Seat = {}): Promise<Person> {
  const { name = '', before = '', ...options } = seat;
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options });
  if (before) await context.addInitScript({ content: before });
  if (name) {
    const set = `localStorage.getItem('chat.name') ?? localStorage.setItem('chat.name', `;
    await context.addInitScript({ content: `${set}${JSON.stringify(JSON.stringify(name))})` });
  }
  const page = await context.newPage();
  const faults = watchFaults(page);
  await visit(page, url);
  return { page, faults };
}

/** Goes to an address; again where the machine's own network changed meanwhile. */
export async function visit(page: Page, url: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const fault = await page
      .goto(url)
      .then(() => waitForStart(page))
      .catch((error: Error) => error);
    if (!fault) return;
    const isNetwork = fault.message.includes('ERR_NETWORK_CHANGED') || isErrorPage(page);
    if (tries === 6 || !isNetwork) throw fault;
    await page.waitForTimeout(500);
  }
}

/** Waits until our page has started (others start by themselves). */
async function waitForStart(page: Page): Promise<undefined> {
  const isOurs = (await page.locator('script[src="/static/boot.js"]').count()) > 0;
  if (isOurs) await page.locator('#status:not(:empty)').waitFor({ timeout: 60_000 });
}

/** Whether the browser shows its own page for an address that it couldn't load. */
function isErrorPage(page: Page): boolean {
  return page.url().startsWith('chrome-error:');
}

/** Collects what goes wrong in a page's scripts. */
export function watchFaults(page: Page): string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedScript|TrustedHTML/.test(message.text())) {
      faults.push(message.text());
    }
  });
  return faults;
}

/** Types a message and presses Enter. */
export async function say(page: Page, message: string): Promise<void> {
  await page.locator('#message').fill(message);
  await page.locator('#message').press('Enter');
}

/** Waits until the page says how it is connected. */
export async function waitForState(page: Page, state: string, timeoutMs = 60_000): Promise<void> {
  const status = page.locator('#status');
  await page
    .locator(`#status[data-state="${state}"]`)
    .waitFor({ timeout: timeoutMs })
    .catch(async () => {
      const actual = await status.getAttribute('data-state');
      assert.fail(`${page.url()} is not ${state} but ${actual}: ${await status.innerText()}`);
    });
}

/** Waits until the page shows a text in a row of the room (not one that is still on its way). */
export async function waitForText(page: Page, text: string, timeoutMs = 60_000): Promise<void> {
  const rows = page.locator('#rows .row .text');
  await rows.getByText(text, { exact: true }).last().waitFor({ timeout: timeoutMs });
}

/** One line as the page shows it; its identity is the byte offset. */
export interface Shown {
  start: number;
  name: string;
  message: string;
}

/** The lines the page shows, from top to bottom. */
export function readRows(page: Page): Promise<Shown[]> {
  return page.locator('#rows .row').evaluateAll((rows) =>
    rows.map((row) => ({
      start: Number(row.id.replace('at-', '')),
      name: row.querySelector('.name')?.textContent ?? '',
      message: row.querySelector('.text')?.textContent ?? '',
    })),
  );
}

/** The messages on their way or failed, as the page shows them. */
export function readPending(page: Page): Promise<string[]> {
  return page.locator('#pending .row .text').allTextContents();
}

/** The lines of a room's file, as the page should show them. */
export function readFile(store: string, room: string): Shown[] {
  const path = join(store, `${room}.txt`);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
  let start = 0;
  return lines.map((line) => {
    const [, name = '', message = ''] = /^\[.{19}\] (.+?): (.*)$/.exec(line) ?? ['', '', line];
    const shown = { start, name, message };
    start += Buffer.byteLength(line) + 1;
    return shown;
  });
}
