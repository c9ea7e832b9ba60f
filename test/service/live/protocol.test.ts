// One process: how a stream begins, what it carries, and where it starts.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { after, before, suite, test } from 'node:test';
import { toEpoch } from '../../../lib/room/cursor.ts';
import { get, openWire, post, readMetric } from '../../support/http.ts';
import { type Server, startServer, waitUntil } from '../../support/server.ts';
import { openLive } from '../../support/sse.ts';
import {
  appendByHand,
  makeLines,
  pickKinds,
  pickLines,
  readLineEvents,
  toFile,
  toLineEvents,
} from './rooms.ts';

let server: Server;
let count = 0;

before(async () => {
  server = await startServer({ env: { CHAT_SERVER_NAME: 'calm-heron' } });
});

after(async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.deepEqual(server.stderr, []);
});

/** Makes a room that no other test uses. */
function begin(text: string | Buffer = ''): { room: string; epoch: string; size: number } {
  const room = `room-${count++}`;
  if (text.length > 0) writeFileSync(toFile(server.store, room), text);
  const bytes = Buffer.from(text);
  return { room, epoch: toEpoch(bytes), size: bytes.length };
}

/** Waits until the service has read all changes so far: notices of a folder come in order. */
async function waitForNotices(): Promise<void> {
  const { room } = begin();
  const stream = await openLive(server, room);
  appendByHand(server.store, room, 'barrier\n');
  await stream.waitFor('the barrier', ({ data }) => data === 'barrier');
  stream.close();
}

const inRoom = (room: string, query: string) => ({ path: `/chat/${room}?${query}` });

suite('a stream', () => {
  test('begins with the name of the server and the cursor at which it starts', async () => {
    const { room, epoch, size } = begin(makeLines(3));
    const whole = await openLive(server, room);
    const first = await whole.waitFor('the server', ({ type }) => type === 'server');
    assert.equal(whole.events[0], first);
    assert.equal(first.data, whole.headers['chat-server']);
    assert.deepEqual([first.hasId, first.lastEventId], [true, `${epoch}-0`]);
    const tail = await openLive(server, room, inRoom(room, 'since=now'));
    const hello = await tail.waitFor('the server', ({ type }) => type === 'server');
    assert.equal(hello.lastEventId, `${epoch}-${size}`);
    whole.close();
    tail.close();
  });

  test('of an empty room begins at the empty cursor, and carries all that is stored later', async () => {
    const { room } = begin();
    const stream = await openLive(server, room);
    const hello = await stream.waitFor('the server', ({ type }) => type === 'server');
    assert.equal(hello.lastEventId, '00000000-0');
    const { headers, text } = await post(server, room, { username: 'a', message: 'b' });
    const event = await stream.waitFor('the line', ({ type }) => type === 'message');
    assert.equal(event.lastEventId, headers['chat-cursor']);
    assert.equal(`${event.data}\n`, text);
    assert.deepEqual(
      pickKinds(stream),
      ['server', 'message'],
      'a reader at offset 0 needs no reset',
    );
    stream.close();
  });

  test('has the header fields that proxies and caches need', async () => {
    const stream = await openLive(server, begin().room);
    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
    assert.equal(stream.headers['cache-control'], 'no-store');
    assert.equal(stream.headers['x-accel-buffering'], 'no');
    assert.match(stream.headers['chat-server'] as string, /^calm-heron \(.+\)$/);
    assert.equal(stream.headers['x-content-type-options'], 'nosniff');
    assert.equal(stream.headers.etag, undefined);
    assert.equal(stream.headers['content-length'], undefined);
    stream.close();
  });

  test('asks each client for another delay before it retries', async () => {
    const { room } = begin();
    const streams = await Promise.all(Array.from({ length: 12 }, () => openLive(server, room)));
    for (const stream of streams) await stream.waitFor('one', () => true);
    const waits = streams.map((stream) => stream.retryMs()!);
    for (const wait of waits) assert.ok(wait >= 500 && wait <= 2500, `${wait} ms`);
    assert.ok(new Set(waits).size > 6, `${waits}`);
    for (const stream of streams) stream.close();
  });

  test('has ids in the first event and in lines only, and data in every event', async () => {
    const { room } = begin(makeLines(2));
    const wire = await openWire(server);
    wire.send(`GET /chat/${room}?since=7 HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n`);
    const text = await wire.waitFor(/line 1 [.]*\n\n/);
    const blocks = text
      .slice(text.indexOf('\r\n\r\n') + 4)
      .split('\n\n')
      .filter(Boolean);
    const kinds = blocks.map((block) => /^event: (.*)$/m.exec(block)?.[1] ?? 'message');
    assert.deepEqual(kinds, ['server', 'reset', 'message', 'message']);
    for (const [index, block] of blocks.entries()) {
      assert.match(block, /^data: ./m);
      assert.equal(/^id: /m.test(block), kinds[index] !== 'reset', block);
    }
    wire.close();
  });

  test('is sent only to who names its type: */* gets plain text', async () => {
    const { room } = begin(makeLines(1));
    const { headers } = await get(server, `/chat/${room}`, { accept: '*/*' });
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
    assert.ok(headers['content-length']);
  });

  test('of a HEAD request has no body', async () => {
    const { room } = begin(makeLines(1));
    const wire = await openWire(server);
    const head = `HEAD /chat/${room} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`;
    wire.send(head + head.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    const text = await wire.waitForEnd();
    assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
    assert.equal(text.match(/text\/event-stream/g)?.length, 2);
    assert.doesNotMatch(text, /data:/);
  });

  test('of an HTTP/1.0 client has no chunks and ends with its connection', async () => {
    const { room, epoch } = begin('one\ntwo\n');
    const wire = await openWire(server);
    wire.send(`GET /chat/${room} HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n`);
    const text = await wire.waitFor(/two\n\n/);
    assert.doesNotMatch(text, /transfer-encoding/i);
    assert.match(text, /connection: close/i);
    const lines = `id: ${epoch}-4\ndata: one\n\nid: ${epoch}-8\ndata: two\n\n`;
    assert.ok(text.endsWith(` (${hostname()})\n\n${lines}`), text);
    wire.close();
  });

  test('that is not the first response on its connection is complete', async () => {
    const { room } = begin('one\n');
    const wire = await openWire(server);
    wire.send('GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
    await wire.waitFor(/healthy\n/);
    wire.send(`GET /chat/${room} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`);
    await wire.waitFor(/data: one\n\n\r\n/);
    wire.close();
  });
});

suite('a line', () => {
  test('without LF is sent once it has its LF', async () => {
    const { room } = begin('one\ntw');
    const stream = await openLive(server, room);
    await stream.waitFor('one', ({ data }) => data === 'one');
    appendByHand(server.store, room, 'o');
    await waitForNotices();
    assert.deepEqual(pickLines(stream.events).length, 1);
    appendByHand(server.store, room, '\nthree\n');
    await stream.waitFor('three', ({ data }) => data === 'three');
    assert.deepEqual(pickLines(stream.events), readLineEvents(server.store, room));
    stream.close();
  });

  test('without LF gets one from the next message', async () => {
    const { room } = begin('one\ntwo');
    const stream = await openLive(server, room);
    await post(server, room, { username: 'a', message: 'three' });
    await stream.waitFor('three', ({ data }) => data.endsWith('three'));
    assert.deepEqual(pickLines(stream.events), readLineEvents(server.store, room));
    stream.close();
  });

  test('is sent without a CR at its end, and with U+FFFD for a CR inside', async () => {
    const { room, epoch } = begin('one\r\nt\rw\ro\r\n\r\n\r\r\nfour\n');
    const stream = await openLive(server, room);
    await stream.waitFor('four', ({ data }) => data === 'four');
    assert.deepEqual(pickLines(stream.events), [
      { id: `${epoch}-5`, data: 'one' },
      { id: `${epoch}-12`, data: 't\ufffdw\ufffdo' },
      { id: `${epoch}-14`, data: '' },
      { id: `${epoch}-17`, data: '\ufffd' },
      { id: `${epoch}-22`, data: 'four' },
    ]);
    stream.close();
  });

  test('of any other characters is sent as it is', async () => {
    const odd = [
      ' two blanks',
      '',
      ':colon',
      'id: 7',
      'data: x',
      'שלום 🎉',
      '\u2028\u0085',
      'a\0b',
    ];
    const { room } = begin(`${odd.join('\n')}\n`);
    const stream = await openLive(server, room);
    await stream.waitFor('the last', ({ data }) => data === 'a\0b');
    assert.deepEqual(
      pickLines(stream.events).map(({ data }) => data),
      odd,
    );
    assert.deepEqual(pickLines(stream.events), readLineEvents(server.store, room));
    stream.close();
  });

  test('that is longer than one read is sent whole', async () => {
    const long = [100_000, 65_536, 65_535, 1_000_000, 3].map((size) => 'x'.repeat(size));
    const { room } = begin(`${long.join('\n')}\n`);
    const stream = await openLive(server, room);
    await stream.waitFor('the last', ({ data }) => data === 'xxx');
    assert.deepEqual(pickLines(stream.events), readLineEvents(server.store, room));
    stream.close();
  });

  test('that is too long for a stream is replaced by a note, and the next lines follow', async () => {
    const text = Buffer.concat([
      Buffer.from('one\n'),
      Buffer.alloc(9 << 20, 'x'),
      Buffer.from('\nend\n'),
    ]);
    const { room, epoch } = begin(text);
    const stream = await openLive(server, room);
    await stream.waitFor('the end', ({ data }) => data === 'end');
    const note = `(a line of ${9 << 20} bytes, too long for a stream)`;
    assert.deepEqual(pickLines(stream.events), [
      { id: `${epoch}-4`, data: 'one' },
      { id: `${epoch}-${text.length - 4}`, data: note },
      { id: `${epoch}-${text.length}`, data: 'end' },
    ]);
    stream.close();
  });
});

suite('a start', () => {
  const text = makeLines(5);
  const bytes = Buffer.from(text);
  const third = Buffer.byteLength(makeLines(3));
  const epoch = toEpoch(bytes);
  const starts: [name: string, query: string, id: string | undefined, from: number][] = [
    ['no cursor', '', undefined, 0],
    ['an empty since', 'since=', undefined, 0],
    ['since=0', 'since=0', undefined, 0],
    ['offset 0 of another epoch', 'since=12345678-0', undefined, 0],
    ['a cursor', `since=${epoch}-${third}`, undefined, third],
    ['a bare offset', `since=${third}`, undefined, third],
    ['the end', `since=${epoch}-${bytes.length}`, undefined, bytes.length],
    ['now', 'since=now', undefined, bytes.length],
    ['Last-Event-ID', '', `${epoch}-${third}`, third],
    ['a bare Last-Event-ID', '', `${third}`, third],
    ['Last-Event-ID before since', 'since=0', `${epoch}-${third}`, third],
    ['Last-Event-ID before a malformed since', 'since=x', `${epoch}-${third}`, third],
    ['Last-Event-ID before since=now', 'since=now', `${epoch}-0`, 0],
    ['lastEventId, as polyfills send it', `since=0&lastEventId=${third}`, undefined, third],
    ['Last-Event-ID before lastEventId', 'lastEventId=0', `${epoch}-${third}`, third],
    ['since where lastEventId is empty', `lastEventId=&since=${third}`, undefined, third],
    ['the first since of two', `since=${third}&since=0`, undefined, third],
  ];
  for (const [name, query, lastEventId, from] of starts) {
    test(`at ${name} begins there`, async () => {
      const { room } = begin(text);
      const stream = await openLive(server, room, {
        path: `/chat/${room}${query && '?'}${query}`,
        ...(lastEventId && { lastEventId }),
      });
      appendByHand(server.store, room, 'the end\n');
      await stream.waitFor('the end', ({ data }) => data === 'the end');
      assert.equal(stream.events[0]?.lastEventId, `${epoch}-${from}`);
      assert.deepEqual(pickLines(stream.events), readLineEvents(server.store, room, from));
      assert.deepEqual(pickKinds(stream), ['server', 'message']);
      stream.close();
    });
  }

  const stale: [name: string, cursor: string][] = [
    ['past the end', `${epoch}-${bytes.length + 1}`],
    ['far past the end', '9007199254740991'],
    ['in the middle of a line', `${epoch}-${third - 1}`],
    ['in the middle of a line, bare', `${third + 1}`],
    ['of another epoch', `12345678-${third}`],
    ['of the empty room', `00000000-${third}`],
  ];
  for (const [name, cursor] of stale) {
    for (const way of ['since', 'Last-Event-ID']) {
      test(`${name} is a reset, sent as ${way}`, async () => {
        const { room } = begin(text);
        const stream = await openLive(server, room, {
          path: `/chat/${room}${way === 'since' ? `?since=${cursor}` : ''}`,
          ...(way === 'since' ? {} : { lastEventId: cursor }),
        });
        await stream.waitFor('the last line', ({ data }) => data.startsWith('line 4'));
        assert.equal(stream.events[0]?.lastEventId, `${epoch}-0`);
        assert.deepEqual(pickKinds(stream), ['server', 'reset', 'message']);
        assert.deepEqual(pickLines(stream.events), toLineEvents(bytes));
        stream.close();
      });
    }

    test(`${name} is 410 with ?follow`, async () => {
      const { room } = begin(text);
      const answer = await get(server, `/chat/${room}?follow&since=${cursor}`);
      assert.equal(answer.status, 410);
      assert.match(answer.text, /^[^\n]+\n$/);
    });
  }

  test('at a malformed cursor is refused with 400', async () => {
    const { room } = begin(text);
    for (const since of ['x', '-1', '1.5', '01', `${epoch}-`, `${epoch}-01`, `-${third}`, '1e3']) {
      const accept = { accept: 'text/event-stream' };
      const inQuery = await get(server, `/chat/${room}?since=${since}`, accept);
      const inHeader = await get(server, `/chat/${room}`, { ...accept, 'last-event-id': since });
      const ofText = await get(server, `/chat/${room}?follow&since=${since}`);
      for (const { status, headers } of [inQuery, inHeader, ofText]) {
        assert.equal(status, 400, since);
        assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
      }
    }
  });

  test('that was cut before its first line resumes where it started', async () => {
    const { room, size } = begin(text);
    const path = `/chat/${room}?since=now`;
    const stream = await openLive(server, room, { path });
    await stream.waitFor('the server', ({ type }) => type === 'server');
    stream.close();
    appendByHand(server.store, room, 'meanwhile\n');
    const next = await openLive(server, room, { path, lastEventId: stream.lastEventId() });
    await next.waitFor('what came meanwhile', ({ data }) => data === 'meanwhile');
    assert.deepEqual(pickLines(next.events), readLineEvents(server.store, room, size));
    next.close();
  });
});

suite('a reader whose room', () => {
  const changes: [name: string, change: (file: string) => void, resets: number][] = [
    ['was removed and made again', (file) => beginAnew(file, 'new\nend\n'), 1],
    ['was replaced by another file', (file) => replace(file, 'new\nend\n'), 1],
    ['was cut and has grown again', (file) => replace(file, makeLines(2) + makeLines(4)), 1],
    ['was cut short in place', (file) => writeFileSync(file, 'line 0\nend\n'), 1],
    ['got another first line', (file) => edit(file, /^line 0/, 'LINE 0'), 1],
    ['was edited so that its cursor is inside a line', (file) => edit(file, /\n$/, ' glued\n'), 1],
    ['only grew', () => {}, 0],
  ];
  for (const [name, change, resets] of changes) {
    test(`${name} ${resets ? 'is reset and gets the room from its beginning' : 'is not reset'}`, async () => {
      const { room } = begin(makeLines(5));
      const file = toFile(server.store, room);
      const lines = { ...inRoom(room, `since=${Buffer.byteLength(makeLines(4))}`) };
      const whole = await openLive(server, room);
      const tail = await openLive(server, room, lines);
      for (const one of [whole, tail]) {
        await one.waitFor('the last line', ({ data }) => data.startsWith('line 4'));
      }
      change(file);
      appendByHand(server.store, room, 'more\n');
      for (const stream of [whole, tail]) {
        await stream.waitFor('more', ({ data }) => data === 'more');
        // A reader may see a moment in the middle of the change, so only the last reset counts.
        const last = stream.events.map(({ type }) => type).lastIndexOf('reset');
        assert.equal(last !== -1, resets > 0, `${pickKinds(stream)}`);
        if (last === -1) continue;
        const now = stream.events.slice(last);
        assert.deepEqual(pickLines(now), toLineEvents(readFileSync(file)));
      }
      whole.close();
      tail.close();
    });
  }

  test('is removed is reset at once, and gets the lines of the new room', async () => {
    const { room } = begin(makeLines(5));
    const stream = await openLive(server, room);
    await stream.waitFor('the last line', ({ data }) => data.startsWith('line 4'));
    rmSync(toFile(server.store, room));
    await stream.waitFor('a reset', ({ type }) => type === 'reset');
    await post(server, room, { username: 'a', message: 'again' });
    await stream.waitFor('again', ({ data }) => data.endsWith('again'));
    assert.deepEqual(pickKinds(stream), ['server', 'message', 'reset', 'message']);
    assert.deepEqual(pickLines(stream.events).slice(5), readLineEvents(server.store, room));
    stream.close();
  });

  test('is a folder for a while gets the next line afterwards', async () => {
    const { room } = begin('one\n');
    const stream = await openLive(server, room);
    await stream.waitFor('one', ({ data }) => data === 'one');
    const file = toFile(server.store, room);
    renameSync(file, `${file}.aside`);
    mkdirSync(file);
    await server.waitForLine(/live streams wait: their room cannot be read/);
    rmSync(file, { recursive: true });
    renameSync(`${file}.aside`, file);
    appendByHand(server.store, room, 'two\n');
    await stream.waitFor('two', ({ data }) => data === 'two');
    const lines = pickLines(stream.events);
    assert.deepEqual(lines.slice(lines.findLastIndex(({ data }) => data === 'one')), [
      ...readLineEvents(server.store, room),
    ]);
    stream.close();
  });
});

suite('?follow', () => {
  const follow = async (path: string, version = '1.1') => {
    const wire = await openWire(server);
    wire.send(`GET ${path} HTTP/${version}\r\nHost: a\r\n\r\n`);
    return wire;
  };

  test('sends the room as plain text, then new lines', async () => {
    const { room, epoch } = begin('one\r\ntwo');
    const wire = await follow(`/chat/${room}?follow`, '1.0');
    const head = await wire.waitFor(/one\r\n$/);
    assert.match(head, /^HTTP\/1\.1 200 /);
    assert.match(head, /content-type: text\/plain; charset=utf-8/i);
    assert.match(head, /cache-control: no-store/i);
    assert.match(head, new RegExp(`chat-cursor: ${epoch}-0`, 'i'));
    appendByHand(server.store, room, '\nthree\n');
    const text = await wire.waitFor(/three\n$/);
    assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), 'one\r\ntwo\nthree\n');
    wire.close();
  });

  test('starts at a cursor, or at the end', async () => {
    const { room } = begin('one\ntwo\n');
    const since = await follow(`/chat/${room}?follow&since=4`, '1.0');
    const now = await follow(`/chat/${room}?since=now&follow=1`, '1.0');
    await now.waitFor(/\r\n\r\n$/);
    appendByHand(server.store, room, 'three\n');
    assert.match(await since.waitFor(/three/), /\r\n\r\ntwo\nthree\n$/);
    assert.match(await now.waitFor(/three/), /\r\n\r\nthree\n$/);
    since.close();
    now.close();
  });

  test('ends as HTTP demands when its room begins anew, with nothing after its end', async () => {
    const { room } = begin('one\ntwo\n');
    const wire = await follow(`/chat/${room}?follow`);
    await wire.waitFor(/two\n/);
    replace(toFile(server.store, room), 'other\nlines\n');
    await wire.waitFor(/\r\n0\r\n\r\n/);
    appendByHand(server.store, room, 'more\n');
    await waitForNotices();
    assert.match(wire.received(), /two\n\r\n0\r\n\r\n$/);
    wire.send('GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await wire.waitFor(/healthy\n/), /\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    wire.close();
  });
});

test('no reader is counted once all streams are closed', async () => {
  const toCount = () => readMetric(server, 'chat_live_streams');
  const stream = await openLive(server, begin().room);
  await waitUntil('counted', async () => (await toCount()) > 0);
  stream.close();
  await waitUntil('gone', async () => (await toCount()) === 0);
});

function beginAnew(file: string, text: string): void {
  rmSync(file);
  writeFileSync(file, text);
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

function edit(file: string, pattern: RegExp, text: string): void {
  replace(file, readFileSync(file, 'utf8').replace(pattern, text));
}
