// The loop of docs/proxies.md that follows a room through a proxy which cuts what is silent.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { post, read, readMetric } from '../support/http.ts';
import { need } from '../support/need.ts';
import { makeTempFolder } from '../support/paths.ts';
import { startServer, waitUntil, watch } from '../support/server.ts';
import { findBlock } from './proxies.ts';
import { startProxies } from './proxy.ts';
import { nginx } from './web-servers.ts';

test('a loop of curl loses no line and shows none twice, however often it is cut', {
  skip: need('curl', 'nginx'),
}, async (t) => {
  const server = await startServer();
  t.after(() => server.kill());
  const text = `server {
    listen 127.0.0.1:PORT;
    location / {
      proxy_pass http://127.0.0.1:UPSTREAM;
      proxy_read_timeout 1s;
    }
  }`;
  const recipes = [{ name: 'impatient', text }];
  const { proxies, stop } = await startProxies({ ...nginx, recipes }, server.port);
  t.after(stop);
  await post(server, 'lobby', { username: 'ann', message: 'before' });
  const before = (await read(server, 'lobby')).text;
  const script = findBlock('sh').replace('localhost:8080', `127.0.0.1:${proxies[0]!.port}`);
  assert.match(script, /127\.0\.0\.1/);
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  const options = { cwd: makeTempFolder('follow'), stdio, detached: true };
  const loop = watch(spawn('sh', ['-c', script], options), { isGroup: true });
  t.after(() => process.kill(-loop.pid, 'SIGKILL'));
  const isOpen = async () => (await readMetric(server, 'chat_live_streams')) === 1;
  for (let round = 0; round < 3; round += 1) {
    await waitUntil('it follows', isOpen);
    for (const message of [`שלום ${round}`, `and ${round}`]) {
      await post(server, 'lobby', { username: 'ben', message });
      await loop.waitForLine(new RegExp(`ben: ${message}$`));
    }
    await waitUntil('it is cut', async () => !(await isOpen()));
    await post(server, 'lobby', { username: 'ben', message: `meanwhile ${round}` });
    await loop.waitForLine(new RegExp(`ben: meanwhile ${round}$`));
  }
  const whole = (await read(server, 'lobby')).text;
  assert.equal(loop.stdout.map((line) => `${line}\n`).join(''), whole.slice(before.length));
});
