// The built service runs on every Node version that it promises (contract §7).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { get, makeMultipart, openWire, post, postBody, read } from '../../support/http.ts';
import { findNodes, need } from '../../support/need.ts';
import { spawnServer, startServer, withDeadline } from '../../support/server.ts';

/** Uses the service as its users do, on one node program. */
async function smoke(node: string): Promise<void> {
  const server = await startServer({ node });
  const page = await get(server, '/any-room');
  assert.match(page.text, /<html/i);
  const first = await post(server, 'שלום', { username: 'עמרי', message: 'hi\neverybody' });
  assert.equal(first.status, 201);
  const form = makeMultipart([
    ['username', 'omri'],
    ['msg', 'second'],
  ]);
  const second = await postBody(
    server,
    `/api/chat/${encodeURIComponent('שלום')}`,
    form.body,
    form.headers,
  );
  assert.equal(second.status, 201);
  const whole = await read(server, 'שלום');
  assert.equal(whole.text, first.text + second.text);
  assert.equal((await read(server, 'שלום', { 'if-none-match': whole.headers.etag! })).status, 304);
  const from = first.body.length;
  assert.equal((await read(server, 'שלום', { range: `bytes=${from}-` })).text, second.text);
  assert.equal((await post(server, 'a', { username: '', message: 'm' })).status, 400);
  assert.equal((await get(server, '/-/ready')).status, 200);
  assert.match((await get(server, '/-/metrics')).text, /^# TYPE /m);
  const wire = await openWire(server);
  wire.send('GET /chat/live HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n');
  await wire.waitFor(/event: server/);
  await post(server, 'live', { username: 'a', message: 'live' });
  await wire.waitFor(/data: \[.{19}\] a: live\n\n/);
  wire.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.deepEqual(server.stderr, [], 'no warning of a thing that goes away');
}

/** TZ names the zone of the lines, or the service does not start: what `Date` makes of it is Node's. */
async function checkZones(node: string): Promise<void> {
  for (const TZ of ['europe/berlin', 'est', '+02:00']) {
    const refused = spawnServer({ node, env: { TZ } });
    const exit = await withDeadline(refused.exited, 20_000, () => `it takes TZ=${TZ}`);
    assert.deepEqual(exit, { code: 2, signal: null }, TZ);
    assert.match(refused.stderr.join('\n'), /^chat: TZ is [^\n]*$/);
  }
  for (const TZ of ['Europe/Berlin', 'Asia/Kathmandu', 'EST5EDT', 'GMT']) {
    const server = await startServer({ node, env: { TZ } });
    assert.equal((await read(server, 'a')).headers['chat-time-zone'], TZ);
    await server.stop();
  }
}

const versionOf = (node: string) =>
  spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim() || node;

suite('the built service', () => {
  for (const node of [process.execPath, ...findNodes()]) {
    test(`runs on ${versionOf(node)}`, () => smoke(node));
    test(`writes in the zone that TZ names on ${versionOf(node)}`, () => checkZones(node));
  }

  test('runs on Node 22, 24 and 26', { skip: need('nodes') }, () => {
    const majors = findNodes().map((node) => versionOf(node).replace(/^v(\d+)\..*$/, '$1'));
    assert.deepEqual([...new Set(majors)].sort(), ['22', '24', '26']);
  });
});
