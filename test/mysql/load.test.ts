// Several replicas on one database behave as one service.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { findViolations } from '../support/checker.ts';
import { beginRooms, runCrowd } from '../support/crowd.ts';
import { engines } from '../support/databases.ts';
import { get, post, read } from '../support/http.ts';
import { need } from '../support/need.ts';
import { startServer } from '../support/server.ts';
import { followRoom } from '../support/sse.ts';
import { type Database, startDatabase } from './database.ts';

const count = 6000;
// Ten for each room of each replica, so that most transactions store several messages.
const writerCount = 120;

for (const engine of engines) {
  suite(`replicas on ${engine}`, { skip: need(engine) }, () => {
    let database: Database;
    before(async () => {
      database = await startDatabase(engine);
    });
    after(() => database?.remove());

    test('3 replicas, 120 writers, 4 rooms, 6,000 messages: one order, each once, streams complete', async () => {
      const store = await database.makeStore();
      const servers = await Promise.all([0, 1, 2].map(() => startServer({ store })));
      const names = ['general', 'Second Room', 'שלישי', 'a/b'];
      const readers = servers.flatMap((server) => names.map((name) => followRoom(server, name)));
      const { sent, seen } = await runCrowd({
        servers,
        rooms: names,
        clientCount: writerCount,
        messageCount: Math.ceil(count / writerCount),
        readEvery: 40,
      });
      const rooms = new Map<string, string>();
      for (const [index, name] of names.entries()) {
        const answers = await Promise.all(servers.map((server) => read(server, name)));
        const texts = new Set(answers.map(({ text }) => text));
        assert.equal(texts.size, 1, `one order of ${name} on every replica`);
        const tags = new Set(answers.map(({ headers }) => headers.etag));
        assert.equal(tags.size, 1, `one entity tag of ${name}`);
        rooms.set(name, answers[0]!.text);
        for (const replica of servers.keys()) {
          await readers[replica * names.length + index]!.waitForText(answers[0]!.text);
        }
      }
      assert.ok(sent.length >= count, `${sent.length} messages`);
      assert.equal(sent.filter((one) => one.line === undefined).length, 0, 'each was acknowledged');
      assert.ok(seen.length >= count / 50, `${seen.length} reads`);
      assert.deepEqual(findViolations({ sent, seen, rooms }), []);
      for (const reader of readers) {
        assert.deepEqual(reader.failures, []);
        assert.equal(reader.resetCount, 0);
        await reader.stop();
      }
      for (const server of servers) {
        assert.deepEqual(await server.stop(), { code: 0, signal: null });
        assert.deepEqual(server.stderr, []);
      }
    });

    test('few rights suffice: CREATE and REFERENCES once, then SELECT, INSERT and UPDATE', async () => {
      const store = await database.makeStore();
      const { username, pathname } = new URL(store);
      const [user, place] = [`'${username}'@'127.0.0.1'`, `${pathname.slice(1)}.*`];
      const grantOnly = async (rights: string) => {
        await database.run(`REVOKE ALL ON ${place} FROM ${user}`);
        await database.run(`GRANT ${rights} ON ${place} TO ${user}`);
      };
      for (const rights of [
        'CREATE, REFERENCES, SELECT, INSERT, UPDATE',
        'SELECT, INSERT, UPDATE',
      ]) {
        await grantOnly(rights);
        const server = await startServer({ store });
        const posted = await post(server, 'rights', { username: 'u', message: rights });
        assert.equal(posted.status, 201, posted.text);
        assert.equal((await get(server, '/-/ready')).status, 200);
        assert.ok((await read(server, 'rights')).text.endsWith(posted.text));
        await server.stop();
      }
    });

    test('replicas that start at once on an empty database make its tables once', async () => {
      const store = await database.makeStore();
      const servers = await Promise.all([0, 1, 2, 3, 4].map(() => startServer({ store })));
      const history = await beginRooms(servers, 60);
      assert.ok(
        history.sent.every(({ line }) => line !== undefined),
        'each was acknowledged',
      );
      assert.deepEqual(findViolations(history), []);
      for (const text of history.rooms.values()) assert.equal(text.split('\n').length, 6);
      const versions = await database.run('SELECT version FROM chat_schema', store);
      assert.equal(versions.length, 1);
      await Promise.all(servers.map((server) => server.stop()));
    });
  });
}
