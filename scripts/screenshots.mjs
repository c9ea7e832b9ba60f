// Takes the screenshots in docs/screenshots/ of the built service: node scripts/screenshots.mjs
// It needs Chromium, whose program CHROMIUM names where it is not /usr/bin/chromium.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const project = fileURLToPath(new URL('..', import.meta.url));
const target = join(project, 'docs', 'screenshots');
const rooms = {
  general: `[2026-11-20 15:58:12] Priya: shipping note for the weekend is up, comments welcome
[2026-11-20 16:02:40] omri: reads well. one typo in the second paragraph, otherwise go
[2026-11-20 16:03:05] Priya: fixed, thanks!
[2026-11-21 08:57:21] omri: hi everybody!
[2026-11-21 08:57:48] omri: are we still moving the rooms at ten?
[2026-11-21 08:59:02] Dana Levi: yes. plan and rollback are here: https://wiki.example.org/rooms/move
[2026-11-21 09:01:30] יעל: בוקר טוב! אני אצטרף אליכם בעוד כמה דקות
[2026-11-21 10:04:16] Jean-Baptiste: first half is over, nothing lost↵general  48,112 lines, same checksum↵ops       9,310 lines, same checksum
[2026-11-21 10:05:02] Dana Levi: lovely. @Mara could you watch the graphs during the second half?
[2026-11-21 10:05:37] Mara: on it
[2026-11-21 10:12:09] Mara: p99 stays at 38 ms on all three replicas, even while one restarts
[2026-11-21 10:12:31] omri: 🎉
[2026-11-21 10:14:44] Dana Levi: then that was the move. Whoever wants to check by hand: it is still one text file per room, and grep works
`,
  ops: '[2026-11-21 10:15:00] Dana Levi: done\n',
  'coffee & cake': '[2026-11-20 14:00:00] יעל: מי רוצה קפה?\n',
};
const shots = {
  light: { colorScheme: 'light', viewport: { width: 1120, height: 760 } },
  dark: { colorScheme: 'dark', viewport: { width: 1120, height: 760 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 780 }, hasTouch: true },
};

/** Starts the service over the rooms above and gives its address. */
async function serve(store) {
  for (const [room, text] of Object.entries(rooms)) {
    const name = room.replace(
      /[ &]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
    writeFileSync(join(store, `${name}.txt`), text);
  }
  const env = { ...process.env, PORT: '0', HOST: '127.0.0.1', TZ: 'UTC', CHAT_STORE: store };
  const names = { CHAT_SERVER_NAME: 'brave-otter' };
  const service = spawn(process.execPath, [join(project, 'dist', 'server.js')], {
    env: { ...env, ...names },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise((resolve, reject) => {
    service.stdout.on('data', (line) => {
      const match = /http:\/\/[^\s/]+/.exec(String(line));
      if (match) resolve(match[0]);
    });
    service.once('exit', () => reject(new Error('the service ended; is it built?')));
  });
  return { service, url };
}

/** Photographs `general` as Mara sees it, who has visited the other rooms before. */
async function shoot(browser, url, name, options) {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options });
  await context.addInitScript(() => {
    localStorage.setItem('chat.name', '"Mara"');
  });
  const page = await context.newPage();
  for (const room of ['coffee & cake', 'ops', '']) {
    await page.goto(`${url}/${encodeURIComponent(room)}`);
    await page.locator('#status[data-state="live"]').waitFor();
  }
  await page.locator('#message').fill('Thanks all, that was the quietest move ');
  await page.locator('#message').blur();
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(target, `${name}.png`) });
  await context.close();
}

const store = mkdtempSync(join(tmpdir(), 'chat-screenshots-'));
mkdirSync(target, { recursive: true });
const { service, url } = await serve(store);
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  for (const [name, options] of Object.entries(shots)) await shoot(browser, url, name, options);
} finally {
  await browser.close();
  service.kill();
  rmSync(store, { recursive: true, force: true });
}
