// Contract §4: whoever lost an answer sends the same request again, and gets the same line, once.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type Carrier, type Fate, startCarrier } from '../../support/carrier.ts';
import { type Answer, openWire, postBody, read } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';

const html = { accept: 'text/html,application/xhtml+xml' };
const store = makeTempFolder('rooms');
let one: Server;
let other: Server;
let roomCount = 0;

before(async () => {
  [one, other] = await Promise.all([startServer({ store }), startServer({ store })]);
});
after(() => Promise.all([one.stop(), other.stop()]));

const makeRoom = () => `repeat-${roomCount++}`;

/** Sends `omri: <message>`, with a cursor unless it is undefined. */
function send(
  server: Pick<Server, 'port'>,
  room: string,
  message: string,
  since?: string,
  headers = {},
): Promise<Answer> {
  const query = since === undefined ? '' : `?since=${since}`;
  return postBody(
    server,
    `/chat/${room}${query}`,
    `username=omri&message=${encodeURIComponent(message)}`,
    headers,
  );
}

async function readMessages(room: string): Promise<string[]> {
  const { text } = await read(one, room);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.slice('[2018-02-25 14:00:51] omri: '.length));
}

const readCursor = async (room: string) => String((await read(one, room)).headers['chat-cursor']);

suite('a message that is sent again with ?since', () => {
  test('is 201 the first time, and then 200 with the same line and cursor, on every replica', async () => {
    const room = makeRoom();
    const since = await readCursor(room);
    assert.equal(since, '00000000-0');
    const first = await send(one, room, ' hi\r\nthere\n', since);
    assert.equal(first.status, 201);
    for (const server of [one, other]) {
      const again = await send(server, room, ' hi\nthere', since);
      assert.equal(again.status, 200);
      for (const name of ['chat-cursor', 'content-type', 'content-length']) {
        assert.equal(again.headers[name], first.headers[name], name);
      }
      assert.equal(again.text, first.text);
    }
    assert.deepEqual(await readMessages(room), [' hi↵there']);
  });

  test('is 303 to the room for a plain HTML form, both times', async () => {
    const room = makeRoom();
    for (const _ of ['first', 'again']) {
      const { status, headers } = await send(one, room, 'hi', '0', html);
      assert.deepEqual([status, headers.location], [303, `/${room}`]);
    }
    assert.deepEqual(await readMessages(room), ['hi']);
  });

  test('is one line though its copies come at once to two replicas', async () => {
    const room = makeRoom();
    await send(one, room, 'before');
    const since = await readCursor(room);
    const copies = Array.from({ length: 20 }, (_, n) =>
      send(n % 2 ? one : other, room, 'm', since),
    );
    const answers = await Promise.all(copies);
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    assert.equal(answers.filter(({ status }) => status === 200).length, 19);
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    assert.equal(new Set(answers.map(({ headers }) => headers['chat-cursor'])).size, 1);
    assert.deepEqual(await readMessages(room), ['before', 'm']);
  });

  test('is one line though a copy comes late, on another replica, after other messages', async (t) => {
    const room = makeRoom();
    const fates: Fate[] = [
      { copies: [{ server: other, delayMs: 700 }], client: 'cut' },
      { copies: [{ server: one, delayMs: 0 }], client: 'answer' },
    ];
    const carrier = await startCarrier(() => fates.shift()!);
    t.after(() => carrier.close());
    const since = await readCursor(room);
    await assert.rejects(send(carrier, room, 'm', since));
    assert.equal((await send(carrier, room, 'm', since)).status, 201);
    for (const message of ['m', 'n']) await send(one, room, message);
    await carrier.idle();
    assert.deepEqual(await readMessages(room), ['m', 'm', 'n']);
  });

  test('is one line though the replica is killed before its answer is passed on', async (t) => {
    const killed = await startServer({ store });
    const carrier: Carrier = await startCarrier(() => ({
      copies: [{ server: killed, delayMs: 0 }],
      client: 'cut at the answer',
    }));
    t.after(() => carrier.close());
    const room = makeRoom();
    await assert.rejects(send(carrier, room, 'm', '0'));
    await killed.kill();
    assert.equal((await send(other, room, 'm', '0')).status, 200);
    assert.deepEqual(await readMessages(room), ['m']);
  });

  test('without a cursor, or with an empty one, is stored as often as it is sent', async () => {
    const room = makeRoom();
    for (const since of [undefined, '', undefined, '']) {
      assert.equal((await send(one, room, 'ok', since)).status, 201);
    }
    assert.equal((await send(one, room, 'ok', '&since=0')).status, 201, 'the first one counts');
    assert.equal((await readMessages(room)).length, 5);
  });

  const noCursors = [
    'now',
    '10m',
    '2026-11-25T14:00',
    '-1',
    '01',
    '1-2',
    'DEADBEEF-1',
    '0x10',
    '%20',
  ];
  for (const since of noCursors) {
    test(`is 400 with since=${since}, which is no cursor`, async () => {
      const room = makeRoom();
      const { status, text } = await send(one, room, 'm', since);
      assert.equal(status, 400);
      assert.match(text, /^since .*<epoch>-<offset>.*\n$/);
      assert.deepEqual(await readMessages(room), []);
    });
  }
});

suite('a cursor that can’t tell whether the message is there is 409', () => {
  async function assertConflict(room: string, message: string, since: string) {
    const before = (await read(one, room)).headers.etag;
    for (const headers of [{}, html]) {
      const { status, text, headers: fields } = await send(one, room, message, since, headers);
      assert.equal(status, 409);
      assert.match(text, /^[^\n]+ read the room[^\n]+\n$/);
      assert.equal(fields['chat-cursor'], undefined);
    }
    assert.equal((await read(one, room)).headers.etag, before);
  }

  test('where no line of the room ends', async () => {
    const room = makeRoom();
    await assertConflict(room, 'there', '0badcafe-31');
    const { headers } = await send(one, room, 'there');
    const cursor = String(headers['chat-cursor']);
    const [epoch, offset] = cursor.split('-') as [string, string];
    for (const since of [
      `0badcafe-${offset}`,
      `${epoch}-${Number(offset) + 1}`,
      `${epoch}-${Number(offset) - 1}`,
      '1',
    ]) {
      await assertConflict(room, 'there', since);
    }
    rmSync(join(store, `${room}.txt`));
    await assertConflict(room, 'there', cursor);
  });

  test('with more than 1 MiB behind it and the message not in the first', async () => {
    const room = makeRoom();
    const line = `[2018-02-25 14:00:51] omri: ${'x'.repeat(1000)}\n`;
    const text = `[2018-02-25 14:00:51] omri: there\n${line.repeat(1100)}`;
    writeFileSync(join(store, `${room}.txt`), `${text}[2018-02-25 14:00:51] omri: last\n`);
    await assertConflict(room, 'last', '0');
    const found = await send(one, room, 'there', '0');
    assert.equal(found.status, 200);
    assert.match(found.text, /: there\n$/);
  });
});

suite('no informational answer', () => {
  const browser = 'User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0.0.0 Safari/537.36\r\n';
  const body = 'username=omri&message=hi';
  const head = (version: string, fields: string) =>
    `POST /chat/informed HTTP/${version}\r\nHost: a\r\nConnection: close\r\n${fields}` +
    `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n`;
  const cases: [name: string, version: string, fields: string, statuses: number[]][] = [
    ['goes to a browser', '1.1', browser, [201]],
    ['but 100 goes to who expects it', '1.1', 'Expect: 100-continue\r\n', [100, 201]],
    ['goes to an HTTP/1.0 client that expects it', '1.0', 'Expect: 100-continue\r\n', [201]],
  ];
  for (const [name, version, fields, statuses] of cases) {
    test(name, async () => {
      const wire = await openWire(one);
      wire.send(head(version, fields) + body);
      const text = await wire.waitForEnd();
      const found = [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
      assert.deepEqual(found, statuses);
    });
  }
});
