// Several processes on one folder are one service.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findViolations } from '../../support/checker.ts';
import { beginRooms, runCrowd } from '../../support/crowd.ts';
import { read } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { startServer } from '../../support/server.ts';

test('3 processes, 8 clients, 4 rooms, 20,000 messages: each line once, in order, seen at once', async () => {
  const store = makeTempFolder('rooms');
  const servers = await Promise.all([0, 1, 2].map(() => startServer({ store })));
  const names = ['general', 'Second Room', 'שלישי', 'a/b'];
  const crowd = { servers, rooms: names, clientCount: 8, messageCount: 2500, readEvery: 40 };
  const { sent, seen } = await runCrowd(crowd);
  const rooms = new Map<string, string>();
  for (const name of names) {
    const texts = await Promise.all(servers.map(async (server) => (await read(server, name)).text));
    assert.equal(new Set(texts).size, 1, `one order of ${name} on every replica`);
    rooms.set(name, texts[0]!);
  }
  assert.equal(sent.length, 20_000);
  assert.equal(sent.filter((one) => one.line === undefined).length, 0, 'each was acknowledged');
  assert.ok(seen.length >= 500, `${seen.length} reads`);
  assert.deepEqual(findViolations({ sent, seen, rooms }), []);
  const files = readdirSync(store).filter((name) => name.endsWith('.txt'));
  const texts = files.map((name) => readFileSync(join(store, name), 'utf8'));
  assert.deepEqual(texts.sort(), [...rooms.values()].sort(), 'the files are what is served');
  for (const server of servers) {
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    assert.deepEqual(server.stderr, []);
  }
});

test('a room that many processes begin at once is begun once', async () => {
  const store = makeTempFolder('rooms');
  const servers = await Promise.all([0, 1, 2].map(() => startServer({ store })));
  const history = await beginRooms(servers, 200);
  assert.deepEqual(findViolations(history), []);
  for (const text of history.rooms.values()) assert.equal(text.split('\n').length, 4);
  await Promise.all(servers.map((server) => server.stop()));
});
