// The database is killed, freezes, refuses, or its answer is lost: what was acknowledged stays, and
// the service works again by itself.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { parseStoreAddress } from '../../lib/config/store-address.ts';
import { isTransient, loadDriver } from '../../lib/store/mysql/driver.ts';
import { findViolations } from '../support/checker.ts';
import { type CrowdOptions, makeRecord, runCrowd, unknownOutcome } from '../support/crowd.ts';
import { engines } from '../support/databases.ts';
import { get, post, read } from '../support/http.ts';
import { need } from '../support/need.ts';
import { type Server, startServer, waitUntil } from '../support/server.ts';
import { followRoom } from '../support/sse.ts';
import { type Database, startDatabase } from './database.ts';
import { openWire, type Wire } from './wire.ts';

const message = { username: 'u', message: 'hello' };
const recoveryMs = 10_000;

for (const engine of engines) {
  suite(`faults of ${engine}`, { skip: need(engine) }, () => testFaults(engine));
}

function testFaults(engine: (typeof engines)[number]): void {
  let database: Database;
  before(async () => {
    database = await startDatabase(engine);
  });
  after(() => database?.remove());

  test('killed ten times under load: each acknowledged message is there once, no answer is 500', async () => {
    const store = await database.makeStore();
    const servers = await Promise.all([0, 1].map(() => startServer({ store })));
    const rooms = ['general', 'second'];
    const readers = rooms.map((room, n) => followRoom(servers[n]!, room));
    const talk = startTalk({ servers, rooms, clientCount: 6, readEvery: 25 });
    for (let kills = 0; kills < 10; kills += 1) {
      // Another number each time, so that a commit is caught at another moment.
      await talk.waitForMore('stored', 50 + 7 * kills);
      await database.kill();
      await talk.waitForMore('refused', 1);
      await database.start();
      await Promise.all(servers.map(waitForRecovery));
    }
    const { sent, seen } = await talk.stop();
    const texts = new Map<string, string>();
    for (const room of rooms) {
      const answers = await Promise.all(servers.map((server) => read(server, room)));
      assert.equal(answers[0]!.text, answers[1]!.text, `${room} is the same on both replicas`);
      texts.set(room, answers[0]!.text);
    }
    assert.deepEqual(findViolations({ sent, seen, rooms: texts }), []);
    for (const [n, reader] of readers.entries()) {
      await reader.waitForText(texts.get(rooms[n]!)!);
      assert.equal(reader.resetCount, 0);
      await reader.stop();
    }
    await Promise.all(servers.map((server) => server.stop()));
  });

  test('away at the start: the service starts, refuses, and works once the database does', async () => {
    const store = await database.makeStore();
    await database.kill();
    const server = await startServer({ store });
    assert.equal((await get(server, '/-/healthy')).status, 200);
    await assertAway(server);
    await database.start();
    await waitForRecovery(server);
    assert.equal((await get(server, '/-/ready')).status, 200);
    const away = server.stdout.filter((line) => /the database failed/.test(line));
    assert.equal(away.length, 1, 'one log line for the outage');
    await server.stop();
  });

  test('frozen: requests are refused in time, and accepted again once the database goes on', async () => {
    const store = await database.makeStore();
    const server = await startServer({ store });
    await post(server, 'frozen', message);
    database.signal('SIGSTOP');
    try {
      await assertAway(server);
    } finally {
      database.signal('SIGCONT');
    }
    await waitForRecovery(server);
    await server.stop();
  });

  test('read-only or out of connections: messages are refused, and accepted again without a restart', async () => {
    const store = await database.makeStore();
    const server = await startServer({ store });
    for (let n = 0; n < 3; n += 1) {
      assert.equal((await post(server, 'full', message)).status, 201);
    }
    const user = new URL(store).username;
    const host = "'127.0.0.1'";
    await database.run('SET GLOBAL read_only = 1');
    const refused = await post(server, 'full', { ...message, message: 'refused' });
    assert.equal(refused.status, 503);
    assert.doesNotMatch(refused.text, unknownOutcome);
    assert.equal((await get(server, '/-/ready')).status, 503);
    assert.equal((await read(server, 'full')).status, 200, 'what is stored can be read');
    await database.run('SET GLOBAL read_only = 0');
    await waitForRecovery(server);
    await database.run(`ALTER USER '${user}'@${host} WITH MAX_USER_CONNECTIONS 1`);
    await database.run(`SET GLOBAL max_connections = 10`);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => post(server, `full ${n}`, message)),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    assert.ok([...statuses].every((status) => status === 201 || status === 503));
    await database.run(`ALTER USER '${user}'@${host} WITH MAX_USER_CONNECTIONS 0`);
    await database.run('SET GLOBAL max_connections = 151');
    await waitForRecovery(server);
    assert.equal((await read(server, 'full')).text.match(/refused/g), null);
    for (const [n, { status }] of answers.entries()) {
      const { text } = await read(server, `full ${n}`);
      assert.equal(text.split('\n').length - 1, status === 201 ? 1 : 0);
    }
    await server.stop();
  });

  test('dropped tables are made again without a restart', async () => {
    const store = await database.makeStore();
    const server = await startServer({ store });
    assert.equal((await post(server, 'gone', message)).status, 201);
    for (const table of ['messages', 'rooms', 'chat_ready', 'chat_schema']) {
      await database.run(`DROP TABLE ${table}`, store);
    }
    await waitForRecovery(server);
    assert.equal((await read(server, 'gone')).text, '');
    await database.run('UPDATE chat_schema SET version = 99', store);
    const next = await startServer({ store });
    const refused = await get(next, '/-/ready');
    assert.equal(refused.status, 503);
    assert.match(refused.text, /version 99/);
    await Promise.all([server.stop(), next.stop()]);
  });

  test('the server ends a frozen transaction that locks a room before others give up', async () => {
    const store = await database.makeStore();
    const server = await startServer({ store });
    await post(server, 'locked', message);
    const parsed = parseStoreAddress(store);
    assert.ok(parsed.kind === 'database');
    const connect = (await loadDriver(parsed.address))('write');
    let onLost = () => {};
    const lost = new Promise<void>((resolve) => {
      onLost = resolve;
    });
    const frozen = await connect(onLost);
    await frozen.run('SELECT * FROM rooms WHERE name = ? FOR UPDATE', ['locked']);
    const stored: string[] = [];
    const sendTo = async (room: string) => {
      assert.equal((await post(server, room, message)).status, 201);
      stored.push(room);
    };
    await Promise.all([sendTo('locked'), sendTo('free')]);
    assert.deepEqual(stored, ['free', 'locked'], 'the room was locked');
    await lost;
    await assert.rejects(frozen.run('COMMIT'), isTransient);
    frozen.destroy();
    await server.stop();
  });

  test('a replica that is frozen or killed while it writes holds nobody up', async () => {
    const store = await database.makeStore();
    const steady = await startServer({ store });
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
      const other = await startServer({ store });
      const talk = startTalk({ servers: [other], rooms: ['locked'], clientCount: 4 });
      await talk.waitForMore('stored', 50);
      other.signal(signal);
      const answer = await post(steady, 'locked', message);
      assert.equal(answer.status, 201, answer.text);
      other.signal('SIGCONT');
      await talk.stop();
      await other.kill();
    }
    await steady.stop();
  });

  suite('the answer to a commit is lost', () => {
    let wire: Wire;
    let server: Server;
    before(async () => {
      const address = new URL(await database.makeStore());
      wire = await openWire(database.port);
      address.port = String(wire.port);
      server = await startServer({ store: address.href });
      assert.equal((await post(server, 'lost', message)).status, 201);
    });
    after(async () => {
      await server?.stop();
      wire?.close();
    });

    test('but the message is stored: it is acknowledged, and there once', async () => {
      wire.cutAtCommit('after', false);
      const answer = await post(server, 'lost', { ...message, message: 'found' });
      assert.equal(answer.status, 201, answer.text);
      assert.equal(wire.cutCount(), 1);
      const { text, headers } = await read(server, 'lost');
      assert.equal(text.match(/found/g)?.length, 1);
      assert.equal(answer.headers['chat-cursor'], headers['chat-cursor']);
    });

    test('and the message is not stored: it is refused', async () => {
      wire.cutAtCommit('before', false);
      const answer = await post(server, 'lost', { ...message, message: 'nowhere' });
      assert.equal(answer.status, 503);
      assert.doesNotMatch(answer.text, unknownOutcome);
      assert.equal(wire.cutCount(), 2);
      assert.equal((await read(server, 'lost')).text.match(/nowhere/g), null);
    });

    test('and the database can’t be asked: the refusal says that the message may be there', async () => {
      wire.cutAtCommit('after', true);
      const answer = await post(server, 'lost', { ...message, message: 'perhaps' });
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['retry-after'], '1');
      assert.match(answer.text, unknownOutcome);
      assert.equal(wire.cutCount(), 3);
      wire.mend();
      await waitForRecovery(server);
      assert.equal((await read(server, 'lost')).text.match(/perhaps/g)?.length, 1);
    });
  });
}

/** Starts clients that talk until they are stopped. */
function startTalk(options: Pick<CrowdOptions, 'servers' | 'rooms' | 'clientCount' | 'readEvery'>) {
  const record = makeRecord();
  let isOver = false;
  const crowd = runCrowd({ ...options, record, isOver: () => isOver, refusalPauseMs: 20 });
  const count = (outcome: 'stored' | 'refused') =>
    record.sent.filter((one) => (outcome === 'stored' ? one.line !== undefined : one.isRefused))
      .length;
  return {
    waitForMore: (outcome: 'stored' | 'refused', more: number) => {
      const enough = count(outcome) + more;
      return waitUntil(`${more} ${outcome}`, () => count(outcome) >= enough, 60_000);
    },
    stop: () => {
      isOver = true;
      return crowd;
    },
  };
}

/** Asserts that all that needs the database is refused with a time for the next try. */
async function assertAway(server: Server): Promise<void> {
  const answers = await Promise.all([
    post(server, 'away', { ...message, message: 'away' }),
    read(server, 'away'),
  ]);
  answers.push(await get(server, '/-/ready'));
  for (const { status, headers, text } of answers) {
    assert.equal(status, 503, text);
    assert.ok(headers['retry-after'], text);
    assert.match(text, /^[^\n]+\n$/);
  }
  assert.equal((await get(server, '/-/healthy')).status, 200);
}

async function waitForRecovery(server: Server): Promise<void> {
  await waitUntil(
    'a message that is stored again',
    async () => (await post(server, 'recovery', message)).status === 201,
    recoveryMs,
  );
}
