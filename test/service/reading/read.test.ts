// Contract §5: reading a room, whole, in part, or not at all where nothing changed.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { type Answer, ask, openWire, post, read } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';

let server: Server;
/** The room that most tests read: 3 lines, 100 bytes or so. */
let whole: Buffer;
let etag: string;

before(async () => {
  server = await startServer();
  for (const message of ['one', 'zwei é', 'three'])
    await post(server, 'r', { username: 'a', message });
  const answer = await read(server, 'r');
  whole = answer.body;
  etag = answer.headers.etag!;
});

suite('a room', () => {
  test('is text/plain in UTF-8 with its length', async () => {
    const { status, headers, text } = await read(server, 'r');
    assert.equal(status, 200);
    assert.match(text, /^\[.{19}\] a: one\n\[.{19}\] a: zwei é\n\[.{19}\] a: three\n$/);
    assert.match(headers['content-type'] ?? '', /^text\/plain; ?charset=utf-8$/i);
    assert.equal(headers['content-length'], String(whole.length));
    assert.equal(headers['transfer-encoding'], undefined);
    assert.equal(headers['cache-control'], 'no-cache');
    assert.match(headers.vary ?? '', /(^|, *)accept($|,)/i);
    assert.equal(headers['accept-ranges'], 'bytes');
    assert.match(String(headers['chat-cursor']), new RegExp(`^[0-9a-f]{8}-${whole.length}$`));
    assert.match(headers.etag ?? '', /^"[^"]+"$/, 'a strong tag');
  });

  test('names the time zone of its lines, whole or in part, empty or not', async () => {
    const away = await startServer({ env: { TZ: 'Pacific/Auckland' } });
    await post(away, 'r', { username: 'a', message: 'm' });
    const looks: [string, string][] = [
      ['r', ''],
      ['r', 'bytes=0-3'],
      ['r', 'bytes=9999-'],
      ['empty', 'bytes=-65536'],
    ];
    for (const [room, range] of looks) {
      const { headers } = await read(away, room, range === '' ? {} : { range });
      assert.equal(headers['chat-time-zone'], 'Pacific/Auckland', `${room} ${range}`);
    }
    await away.stop();
  });

  test('without messages is 200 and empty, never 404', async () => {
    const { status, headers, body } = await read(server, 'nobody was here');
    assert.equal(status, 200);
    assert.equal(body.length, 0);
    assert.equal(headers['content-length'], '0');
    assert.equal(headers['chat-cursor'], '00000000-0');
    assert.match(headers['content-type'] ?? '', /^text\/plain; ?charset=utf-8$/i);
    assert.match(headers.etag ?? '', /^"[^"]+"$/);
    assert.equal(headers['accept-ranges'], 'bytes');
  });

  test('without messages has a tag that a first message changes', async () => {
    const empty = (await read(server, 'first')).headers.etag!;
    assert.equal((await read(server, 'first', { 'if-none-match': empty })).status, 304);
    await post(server, 'first', { username: 'a', message: 'm' });
    assert.equal((await read(server, 'first', { 'if-none-match': empty })).status, 200);
  });

  test('has a cursor of an epoch that lasts until it is begun anew', async () => {
    const first = await post(server, 'epoch', { username: 'a', message: 'first' });
    const second = await post(server, 'epoch', { username: 'a', message: 'second' });
    const epoch = String(first.headers['chat-cursor']).slice(0, 8);
    assert.equal(String(second.headers['chat-cursor']).slice(0, 8), epoch);
    writeFileSync(join(server.store, 'copy.txt'), (await read(server, 'epoch')).body);
    assert.equal(
      (await read(server, 'copy')).headers['chat-cursor'],
      second.headers['chat-cursor'],
    );
    writeFileSync(join(server.store, 'epoch.txt'), '[2018-02-25 14:00:51] a: anew\n');
    assert.notEqual(
      String((await read(server, 'epoch')).headers['chat-cursor']).slice(0, 8),
      epoch,
    );
  });
});

suite('If-None-Match', () => {
  const matching: Record<string, () => string> = {
    'the tag itself': () => etag,
    'a weak form of it': () => `W/${etag}`,
    'a list that has it': () => `"x", ${etag} ,"y"`,
    'a list with empty elements': () => `, "x",, ${etag},`,
    'a list with a comma inside a tag': () => `"a,b", W/"c", ${etag}`,
    'a star': () => '*',
  };
  for (const [what, makeTag] of Object.entries(matching)) {
    test(`with ${what} is 304 without a body`, async () => {
      const answer = await read(server, 'r', { 'if-none-match': makeTag() });
      assert.equal(answer.status, 304);
      assert.equal(answer.body.length, 0);
      // RFC 9110 §15.4.5: what a 200 would have sent of these.
      assert.equal(answer.headers.etag, etag);
      assert.equal(answer.headers['cache-control'], 'no-cache');
      assert.match(answer.headers.vary ?? '', /accept/i);
      const head = await ask(server, {
        method: 'HEAD',
        path: '/chat/r',
        headers: { 'if-none-match': makeTag() },
      });
      assert.equal(head.status, 304);
    });
  }

  const others: Record<string, () => string> = {
    'another tag': () => '"x"',
    'the tag without quotes': () => etag.slice(1, -1),
    'the tag in other letters': () => `w/${etag}`,
    'a part of it': () => `${etag.slice(0, -2)}"`,
    nothing: () => '',
  };
  for (const [what, makeTag] of Object.entries(others)) {
    test(`with ${what} is 200 with the room`, async () => {
      const answer = await read(server, 'r', { 'if-none-match': makeTag() });
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.body, whole);
    });
  }

  test('goes before If-Modified-Since and Range', async () => {
    const late = 'Fri, 31 Dec 2100 23:59:59 GMT';
    const stale = { 'if-none-match': '"x"', 'if-modified-since': late };
    assert.equal((await read(server, 'r', stale)).status, 200);
    assert.equal(
      (await read(server, 'r', { 'if-none-match': etag, range: 'bytes=0-0' })).status,
      304,
    );
    assert.equal(
      (await read(server, 'r', { 'if-none-match': '"x"', range: 'bytes=0-0' })).status,
      206,
    );
    const hopeless = { 'if-none-match': etag, range: 'bytes=99999-' };
    assert.equal((await read(server, 'r', hopeless)).status, 304);
  });
});

suite('If-Match', () => {
  test('with the tag, a list of it or a star is 200', async () => {
    for (const value of [etag, `"x", ${etag}`, '*']) {
      assert.equal((await read(server, 'r', { 'if-match': value })).status, 200, value);
    }
  });

  test('with another tag, or a weak form, is 412', async () => {
    for (const value of ['"x"', `W/${etag}`, '"x", "y"']) {
      const answer = await read(server, 'r', { 'if-match': value });
      assert.equal(answer.status, 412, value);
      assert.ok(!answer.body.includes(whole));
    }
  });

  test('goes before If-None-Match and Range', async () => {
    const both = { 'if-match': '"x"', 'if-none-match': etag, range: 'bytes=0-0' };
    assert.equal((await read(server, 'r', both)).status, 412);
  });
});

suite('Range', () => {
  const size = () => whole.length;
  const single: Record<string, () => [range: string, from: number, to: number]> = {
    'the first byte': () => ['bytes=0-0', 0, 1],
    'a part': () => ['bytes=10-19', 10, 20],
    'from an offset on': () => ['bytes=10-', 10, size()],
    'the last byte': () => [`bytes=${size() - 1}-`, size() - 1, size()],
    'more than there is': () => ['bytes=10-99999', 10, size()],
    'more than a number holds': () => ['bytes=10-99999999999999999999999', 10, size()],
    'the whole': () => [`bytes=0-${size() - 1}`, 0, size()],
    'a suffix': () => ['bytes=-10', size() - 10, size()],
    'a suffix of more than there is': () => ['bytes=-65536', 0, size()],
    'a suffix of more than a number holds': () => ['bytes=-99999999999999999999999', 0, size()],
    'another case of the unit': () => ['Bytes=10-19', 10, 20],
    'leading zeros': () => ['bytes=0010-0019', 10, 20],
    'empty elements of the list': () => ['bytes=,10-19,', 10, 20],
  };
  for (const [what, makeCase] of Object.entries(single)) {
    test(`for ${what} is 206`, async () => {
      const [range, from, to] = makeCase();
      const answer = await read(server, 'r', { range });
      assert.equal(answer.status, 206, range);
      assert.deepEqual(answer.body, whole.subarray(from, to));
      assert.equal(answer.headers['content-range'], `bytes ${from}-${to - 1}/${size()}`);
      assert.equal(answer.headers['content-length'], String(to - from));
      assert.equal(answer.headers.etag, etag);
      assert.equal(answer.headers['cache-control'], 'no-cache');
      assert.match(String(answer.headers['chat-cursor']), new RegExp(`-${size()}$`));
    });
  }

  const unsatisfiable: Record<string, () => string> = {
    'just behind the end': () => `bytes=${size()}-`,
    'far behind the end': () => 'bytes=99999999999999999999999-',
    'a suffix of nothing': () => 'bytes=-0',
    'a part behind the end': () => `bytes=${size()}-${size() + 10}`,
  };
  for (const [what, makeRange] of Object.entries(unsatisfiable)) {
    test(`for ${what} is 416 and says the size`, async () => {
      const answer = await read(server, 'r', { range: makeRange() });
      assert.equal(answer.status, 416);
      assert.equal(answer.headers['content-range'], `bytes */${size()}`);
      assert.ok(!answer.body.includes(whole));
    });
  }

  test('of another unit is none: 200 with the room', async () => {
    const answer = await read(server, 'r', { range: 'lines=0-1' });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, whole);
    assert.equal(answer.headers['content-range'], undefined);
  });

  // RFC 9110 §14.2: a range that is none may be ignored or refused, never be guessed at.
  const malformed = ['bytes', 'bytes=-', 'bytes=5-2', 'bytes=0-1-2', 'bytes=0-0,x'];
  for (const range of malformed) {
    test(`of ${range} is no part of the room`, async () => {
      const answer = await read(server, 'r', { range });
      assert.ok([200, 416].includes(answer.status), String(answer.status));
      if (answer.status === 200) assert.deepEqual(answer.body, whole);
    });
  }

  test('for several parts is answered with the whole room', async () => {
    const answer = await read(server, 'r', { range: 'bytes=0-1,5-6' });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, whole);
  });

  test('of an empty room is 416, but a plain GET of it is 200', async () => {
    for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-0']) {
      const answer = await read(server, 'empty', { range });
      assert.equal(answer.status, 416, range);
      assert.equal(answer.headers['content-range'], 'bytes */0');
    }
    // RFC 9110 §14.1.2: a suffix longer than the text is the whole text; of nothing, nothing.
    const tail = await read(server, 'empty', { range: 'bytes=-65536' });
    assert.ok([200, 416].includes(tail.status), String(tail.status));
    assert.equal(tail.status === 200 ? tail.body.length : 0, 0);
  });

  test('of HEAD is no range (RFC 9110 §14.2: GET alone)', async () => {
    const headers = { range: 'bytes=0-0' };
    const answer = await ask(server, { method: 'HEAD', path: '/chat/r', headers });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-length'], String(size()));
  });

  test('gives what is new since a cursor’s offset', async () => {
    const { headers } = await read(server, 'news');
    const from = Number(String(headers['chat-cursor']).split('-')[1]);
    const { text } = await post(server, 'news', { username: 'a', message: 'new' });
    assert.equal((await read(server, 'news', { range: `bytes=${from}-` })).text, text);
  });
});

suite('If-Range', () => {
  const range = 'bytes=0-0';
  test('with the tag gives the part', async () => {
    assert.equal((await read(server, 'r', { range, 'if-range': etag })).status, 206);
  });

  test('with another tag, a weak one, or a list gives the whole room', async () => {
    for (const value of ['"x"', `W/${etag}`, `${etag}, "x"`, '*', 'nonsense']) {
      const answer = await read(server, 'r', { range, 'if-range': value });
      assert.equal(answer.status, 200, value);
      assert.deepEqual(answer.body, whole);
    }
  });

  test('with a date gives the whole room unless that is the Last-Modified', async () => {
    const { headers } = await read(server, 'r');
    const old = { range, 'if-range': 'Sun, 25 Feb 2018 14:00:51 GMT' };
    assert.equal((await read(server, 'r', old)).status, 200);
    // A text that changes within a second has no strong date (RFC 9110 §8.8.2.2).
    const same = { range, 'if-range': String(headers['last-modified'] ?? headers.date) };
    assert.equal((await read(server, 'r', same)).status, 200);
  });

  test('goes before 416: a stale one gives the whole room', async () => {
    const answer = await read(server, 'r', { range: 'bytes=99999-', 'if-range': '"x"' });
    assert.equal(answer.status, 200);
    const fresh = await read(server, 'r', { range: 'bytes=99999-', 'if-range': etag });
    assert.equal(fresh.status, 416);
  });

  test('without Range is nothing', async () => {
    assert.equal((await read(server, 'r', { 'if-range': etag })).status, 200);
  });
});

suite('a mirror', () => {
  /** What `curl -C - -o room.txt URL` asks for and does with the answer. */
  async function mirror(path: string): Promise<Answer> {
    const have = readFileSync(path).length;
    const answer = await read(server, 'mirror', { range: `bytes=${have}-` });
    if (answer.status === 206) appendFileSync(path, answer.body);
    return answer;
  }

  test('kept by Range is the room, byte for byte', async () => {
    const path = join(makeTempFolder('mirror'), 'room.txt');
    writeFileSync(path, '');
    for (let n = 0; n < 20; n += 1) {
      await post(server, 'mirror', { username: 'a', message: `${n}` });
      assert.equal((await mirror(path)).status, 206);
      assert.deepEqual(readFileSync(path), (await read(server, 'mirror')).body);
      assert.equal((await mirror(path)).status, 416, 'nothing new');
    }
  });
});

suite('connections', () => {
  test('carry one request after the other, refused ones too', async () => {
    const wire = await openWire(server);
    const next = (path: string) => wire.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    next('/chat/r');
    next('/chat/%00');
    next('/none/such');
    next('/-/healthy');
    await wire.waitFor(/ 200 [\s\S]* 400 [\s\S]* 404 [\s\S]* 200 /);
    assert.doesNotMatch(wire.received(), /connection: close/i);
    wire.close();
  });

  test('name a shorter time than they stay open, and shorter than a drain waits', async () => {
    const wire = await openWire(server);
    wire.send('GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await wire.waitFor(/\r\n\r\n/), /keep-alive: timeout=5\r\n/i);
    wire.close();
  });

  test('of HTTP/1.0 get their answer and are closed', async () => {
    const wire = await openWire(server);
    wire.send('GET /chat/r HTTP/1.0\r\n\r\n');
    const text = await wire.waitForEnd();
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.ok(text.endsWith(whole.toString('latin1')));
  });
});
