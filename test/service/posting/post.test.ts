// Contract §4: storing a message, and every way to be refused.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { before, suite, test } from 'node:test';
import {
  type Answer,
  ask,
  makeMultipart,
  openWire,
  post,
  postBody,
  read,
} from '../../support/http.ts';
import { type Server, startServer } from '../../support/server.ts';

let server: Server;
let roomCount = 0;
before(async () => {
  server = await startServer();
});

const makeRoom = () => `room-${roomCount++}`;
const good = { username: 'omri', message: 'hi' };

/** What a room holds, as `username: message` lines without their times. */
async function readLines(room: string): Promise<string[]> {
  const lines = (await read(server, room)).text.split('\n').slice(0, -1);
  return lines.map((line) => line.replace(/^\[.{19}\] /, ''));
}

/** Shows that a refusal is as it must be and stored nothing. */
async function assertRefused(answer: Answer, status: number, words: RegExp, room: string) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.text, words);
  assert.match(answer.text, /^[^\n]+\n$/, 'one line');
  assert.match(answer.headers['content-type'] ?? '', /^text\/plain; ?charset=utf-8$/i);
  assert.equal(answer.headers['chat-cursor'], undefined);
  assert.deepEqual(await readLines(room), [], 'nothing is stored');
}

suite('an accepted message', () => {
  test('is 201 with the line as stored and Chat-Cursor, and no Location', async () => {
    const room = 'Room one/שלום';
    const answer = await post(server, room, good);
    assert.equal(answer.status, 201);
    assert.match(answer.text, /^\[.{19}\] omri: hi\n$/);
    assert.match(answer.headers['content-type'] ?? '', /^text\/plain; ?charset=utf-8$/i);
    assert.equal(answer.headers.location, undefined);
    assert.match(String(answer.headers['chat-cursor']), /^[0-9a-f]{8}-\d+$/);
    const reading = await read(server, room);
    assert.equal(reading.text, answer.text);
    assert.equal(reading.headers['chat-cursor'], answer.headers['chat-cursor']);
  });

  test('has the cursor after its own line, whatever comes with it', async () => {
    const room = makeRoom();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => post(server, room, { username: 'a', message: `${n}é` })),
    );
    const whole = (await read(server, room)).body;
    for (const answer of answers) {
      const end = Number(String(answer.headers['chat-cursor']).split('-')[1]);
      assert.equal(whole.subarray(end - answer.body.length, end).toString(), answer.text);
    }
    assert.equal(
      whole.length,
      answers.reduce((sum, { body }) => sum + body.length, 0),
    );
  });

  test('is read by every GET that begins after the answer', async () => {
    const room = makeRoom();
    for (let n = 0; n < 100; n += 1) {
      await post(server, room, { username: 'a', message: `${n}` });
      assert.equal((await readLines(room)).length, n + 1);
    }
  });
});

suite('the fields', () => {
  const cases: Record<string, [body: string, line: string]> = {
    'msg is accepted for message': ['username=a&msg=m', 'a: m'],
    'message counts where both come': ['msg=1&username=a&message=2', 'a: 2'],
    'the first of a repeated field counts': ['username=a&username=b&message=1&message=2', 'a: 1'],
    'the first msg counts': ['username=a&msg=1&msg=2', 'a: 1'],
    'unknown fields are ignored': ['x=1&username=a&message=m&room=other&', 'a: m'],
    'a leading question mark is left out': ['?username=a&message=m', 'a: m'],
    'a plus is a space': ['username=a+b&message=c+d', 'a b: c d'],
    'an escaped plus is a plus': ['username=a&message=1%2B1', 'a: 1+1'],
    'an escape may have small letters': ['username=a&message=%c3%a9', 'a: é'],
    'a broken escape stays as it is': ['username=a&message=100%&x', 'a: 100%'],
    'half an escape stays as it is': ['username=a&message=%4%zz%', 'a: %4%zz%'],
    'a raw byte of UTF-8 is taken as one': ['username=a&message=é', 'a: é'],
    'a leading byte order mark is kept': ['username=a&message=%EF%BB%BFx', 'a: \ufeffx'],
    'a second equals sign belongs to the value': ['username=a&message=b=c==', 'a: b=c=='],
    'a name may be escaped': ['%75sername=a&mess%61ge=m', 'a: m'],
    'empty pairs are ignored': ['&&username=a&&&message=m&&', 'a: m'],
    'a semicolon separates nothing': ['username=a;b&message=m;n', 'a;b: m;n'],
    'white space around a name is part of it': ['username=a& message=1&message=2', 'a: 2'],
    'names are case-sensitive': ['Username=b&username=a&Message=1&message=2', 'a: 2'],
    'a field of a name from Object is no field': ['__proto__=1&username=a&message=m', 'a: m'],
  };
  for (const [sentence, [body, line]] of Object.entries(cases)) {
    test(sentence, async () => {
      const room = makeRoom();
      const answer = await postBody(server, `/chat/${room}`, body);
      assert.equal(answer.status, 201, answer.text);
      assert.deepEqual(await readLines(room), [line]);
      const params = new URLSearchParams(body);
      const message = params.get('message') ?? params.get('msg');
      assert.equal(line, `${params.get('username')}: ${message}`, 'as URLSearchParams says');
    });
  }

  const missing: Record<string, [body: string, field: RegExp]> = {
    'nothing at all': ['', /username|message/],
    'no username': ['message=m', /username/],
    'no message': ['username=a', /message/],
    'a username without a value': ['username&message=m', /username/],
    'a blank username': ['username=+&message=m', /username/],
    'a blank message': ['username=a&message=+', /message/],
    'a blank message although msg has text': ['username=a&message=&msg=m', /message/],
    'a blank first username': ['username=&username=a&message=m', /username/],
    'a username too long': [`username=${'x'.repeat(65)}&message=m`, /username/],
    'a message too long': [`username=a&message=${'x'.repeat(4001)}`, /message/],
    'a username of two lines': ['username=a%0Ab&message=m', /username/],
    'a username that ends in a colon': ['username=a:&message=m', /username/],
    'a username that is not UTF-8': ['username=caf%E9&message=m', /^username is not UTF-8/],
    'a message that is not UTF-8': ['username=a&message=%FFx', /^message is not UTF-8/],
    'a message cut inside a character': ['username=a&msg=%F0%9F%A6', /^msg is not UTF-8/],
    'another field that is not UTF-8': ['username=a&message=m&x=%C0%AF', /field is not UTF-8/],
    'a name that is not UTF-8': ['username=a&message=m&%ED%A0%80', /name of a field is not UTF-8/],
  };
  for (const [what, [body, field]] of Object.entries(missing)) {
    test(`${what} is 400 and names the field`, async () => {
      const room = makeRoom();
      await assertRefused(await postBody(server, `/chat/${room}`, body), 400, field, room);
    });
  }
});

suite('multipart/form-data', () => {
  test('is taken as curl sends it', async () => {
    const room = makeRoom();
    const { body, headers } = makeMultipart([
      ['username', 'omri'],
      ['message', 'שלום: a=b&c\r\nsecond'],
    ]);
    const answer = await postBody(server, `/chat/${room}`, body, headers);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(await readLines(room), ['omri: שלום: a=b&c↵second']);
  });

  test('is taken as fetch and FormData send it', async () => {
    const room = makeRoom();
    const body = new FormData();
    body.set('username', 'omri');
    body.set('msg', 'from a "form"\n2');
    const answer = await fetch(`${server.url}/chat/${room}`, { method: 'POST', body });
    assert.equal(answer.status, 201, await answer.text());
    assert.deepEqual(await readLines(room), ['omri: from a "form"↵2']);
  });

  test('may quote its boundary, have a preamble, an epilogue, and headers in any case', async () => {
    const room = makeRoom();
    const lines = [
      ...['a preamble', '--a b', 'content-disposition: form-data; NAME=username', '', 'omri'],
      ...['--a b  ', 'Content-Type: text/plain; charset=utf-8'],
      ...['CONTENT-DISPOSITION: Form-Data; name="message"', '', '--a bc is no boundary'],
      ...['--a b--', 'an epilogue'],
    ];
    const headers = { 'content-type': 'Multipart/Form-Data; charset=utf-8; boundary="a b"' };
    const answer = await postBody(server, `/chat/${room}`, lines.join('\r\n'), headers);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(await readLines(room), ['omri: --a bc is no boundary']);
  });
});

suite('application/json', () => {
  const send = (room: string, body: string | Uint8Array, type = 'application/json') =>
    postBody(server, `/chat/${room}`, body, { 'content-type': type });

  const taken: Record<string, [body: string, line: string]> = {
    'has the same fields': ['{"username":"omri","message":"hi"}', 'omri: hi'],
    'may have msg for message': ['{"username":"a","msg":"m"}', 'a: m'],
    'has message before msg': ['{"msg":"1","username":"a","message":"2"}', 'a: 2'],
    'has the last of a repeated name': ['{"username":"a","message":"1","message":"2"}', 'a: 2'],
    'may have anything beside': ['{"x":[{"message":1}],"username":"a","message":"m"}', 'a: m'],
    'is cleaned as a form is': [
      '{"username":" a ","message":"1\\r\\n2\\u0007\\n"}',
      'a: 1↵2\ufffd',
    ],
    'may escape what it likes': [
      '{"username":"a","message":"\\u00e9\\ud83e\\udd8a"}',
      'a: é\u{1f98a}',
    ],
  };
  for (const [sentence, [body, line]] of Object.entries(taken)) {
    test(sentence, async () => {
      const room = makeRoom();
      const answer = await send(room, body);
      assert.equal(answer.status, 201, answer.text);
      assert.deepEqual(await readLines(room), [line]);
    });
  }

  const refused: Record<string, [body: string, words: RegExp]> = {
    'cut off': ['{"username":"a","message":"m"', /JSON/],
    'of an array': ['[{"username":"a","message":"m"}]', /object/],
    'of a form': ['username=a&message=m', /JSON/],
    'without a body': ['', /JSON/],
    'without a username': ['{"message":"m"}', /username/],
    'without a message': ['{"username":"a"}', /message/],
    'whose username is a number': ['{"username":1,"message":"m"}', /username/],
    'whose message is null': ['{"username":"a","message":null}', /message/],
    'whose message is blank': ['{"username":"a","message":"\\u3164"}', /message/],
    'whose message is half a pair': ['{"username":"a","message":"\\ud83e"}', /message/],
    'whose username is half a pair': ['{"username":"\\udd8a","message":"m"}', /username/],
  };
  for (const [what, [body, words]] of Object.entries(refused)) {
    test(`${what} is 400 and says so`, async () => {
      const room = makeRoom();
      await assertRefused(await send(room, body), 400, words, room);
    });
  }

  test('that is not UTF-8 is 400, of another charset 415, and of UTF-8 taken', async () => {
    const room = makeRoom();
    const latin1 = Buffer.from('{"username":"a","message":"\xe9"}', 'latin1');
    await assertRefused(await send(room, latin1), 400, /UTF-8/, room);
    const body = '{"username":"a","message":"m"}';
    const utf16 = Buffer.from(`\ufeff${body}`, 'utf16le');
    await assertRefused(await send(room, utf16), 400, /UTF-8/, room);
    const other = await send(room, body, 'application/json; charset=utf-16');
    await assertRefused(other, 415, /charset.*utf-8/, room);
    assert.equal((await send(room, body, 'application/json; charset=UTF-8')).status, 201);
  });

  test('may have 64 KiB and no byte more', async () => {
    const room = makeRoom();
    const start = '{"username":"a","message":"m","x":"';
    const makeBody = (size: number) => `${start.padEnd(size - 2, 'x')}"}`;
    await assertRefused(await send(room, makeBody(65_537)), 413, /65536/, room);
    assert.equal((await send(room, makeBody(65_536))).status, 201);
  });
});

suite('content types', () => {
  const accepted = [
    'application/x-www-form-urlencoded; charset=UTF-8',
    'Application/X-WWW-Form-URLEncoded',
    'application/x-www-form-urlencoded;charset="utf8"',
    ' application/x-www-form-urlencoded ;x="a;b"',
  ];
  for (const type of accepted) {
    test(`${type} is taken`, async () => {
      const body = 'username=a&message=%C3%A9';
      const room = makeRoom();
      const answer = await postBody(server, `/chat/${room}`, body, { 'content-type': type });
      assert.equal(answer.status, 201, answer.text);
      assert.deepEqual(await readLines(room), ['a: é']);
    });
  }

  const others = [
    ...['text/json', 'text/plain', 'application/x-www-form-urlencodedx', 'x', ''],
    ...['application/problem+json', 'multipart/mixed; boundary=b', 'text/html, application/json'],
  ];
  for (const type of others) {
    test(`${type || 'an empty one'} is 415`, async () => {
      const room = makeRoom();
      const headers = { 'content-type': type };
      const answer = await postBody(server, `/chat/${room}`, 'username=a&message=m', headers);
      await assertRefused(answer, 415, /application\/x-www-form-urlencoded/, room);
    });
  }

  for (const charset of ['iso-8859-1', 'UTF-16', '"windows-1252"', '""']) {
    test(`another charset (${charset}) is 415, of the form and of a part of it`, async () => {
      const room = makeRoom();
      const headers = { 'content-type': `application/x-www-form-urlencoded; charset=${charset}` };
      const answer = await postBody(server, `/chat/${room}`, 'username=a&message=m', headers);
      await assertRefused(answer, 415, /charset.*utf-8/, room);
      const form = makeMultipart([
        ['username', 'a'],
        ['message', { filename: 'm', type: `text/plain; charset=${charset}`, content: 'm' }],
      ]);
      const other = await postBody(server, `/chat/${room}`, form.body, form.headers);
      await assertRefused(other, 415, /charset.*utf-8/, room);
    });
  }

  test('that is compressed is 415', async () => {
    for (const coding of ['gzip', 'br', 'identity, gzip']) {
      const room = makeRoom();
      const answer = await post(server, room, good, { 'content-encoding': coding });
      await assertRefused(answer, 415, /uncompressed/, room);
    }
    assert.equal((await post(server, 'r', good, { 'content-encoding': 'Identity' })).status, 201);
  });

  test('none at all is 415', async () => {
    const room = makeRoom();
    const answer = await ask(server, { method: 'POST', path: `/chat/${room}`, body: 'username=a' });
    await assertRefused(answer, 415, /application\/x-www-form-urlencoded/, room);
  });
});

suite('the size of a body', () => {
  const makeBody = (sizeBytes: number) => 'username=a&message=m&x='.padEnd(sizeBytes, 'x');

  test('may be 65,536 bytes, declared or chunked', async () => {
    for (const headers of [{}, { 'transfer-encoding': 'chunked', 'content-length': undefined }]) {
      const room = makeRoom();
      const answer = await postBody(server, `/chat/${room}`, makeBody(65_536), headers);
      assert.equal(answer.status, 201, answer.text);
      assert.deepEqual(await readLines(room), ['a: m']);
    }
  });

  test('of 65,537 bytes is 413, declared or chunked', async () => {
    for (const headers of [{}, { 'transfer-encoding': 'chunked', 'content-length': undefined }]) {
      const room = makeRoom();
      const answer = await postBody(server, `/chat/${room}`, makeBody(65_537), headers);
      await assertRefused(answer, 413, /65,?536|64 KiB/, room);
    }
  });

  test('is refused by its declaration, without reading on', async () => {
    const wire = await openWire(server);
    wire.send('POST /chat/a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n');
    wire.send('Content-Type: application/x-www-form-urlencoded\r\n\r\nusername=');
    assert.match(await wire.waitFor(/\r\n\r\n/), /^HTTP\/1\.1 413 /);
    await wire.waitForEnd();
  });

  test('is refused as soon as a chunked body is past it', async () => {
    const wire = await openWire(server);
    wire.send('POST /chat/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n');
    wire.send('Content-Type: application/x-www-form-urlencoded\r\n\r\n');
    for (let n = 0; n < 5; n += 1) wire.send(`4000\r\n${'x'.repeat(0x4000)}\r\n`);
    assert.match(await wire.waitFor(/\r\n\r\n/), /^HTTP\/1\.1 413 /);
    wire.close();
  });

  test('is asked about before it is sent: Expect gets 100, or 413 at once', async () => {
    const head = 'POST /chat/expect HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n';
    const type = 'Content-Type: application/x-www-form-urlencoded\r\n';
    const small = await openWire(server);
    small.send(`${head}${type}Content-Length: 20\r\n\r\n`);
    await small.waitFor(/^HTTP\/1\.1 100 Continue\r\n/);
    small.send('username=a&message=m');
    await small.waitFor(/HTTP\/1\.1 201 /);
    small.close();
    const large = await openWire(server);
    large.send(`${head}${type}Content-Length: 65537\r\n\r\n`);
    assert.match(await large.waitFor(/HTTP\/1\.1 4/), /^HTTP\/1\.1 413 /);
    large.close();
  });
});

suite('the time of a body', { concurrency: true }, () => {
  test('is 408 after 10 s, and the half body is not stored', async () => {
    const room = makeRoom();
    const wire = await openWire(server);
    const beganMs = performance.now();
    wire.send(`POST /chat/${room} HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n`);
    wire.send('Content-Type: application/x-www-form-urlencoded\r\n\r\nusername=a&message=m');
    const text = await wire.waitFor(/\r\n\r\n/, 30_000);
    const tookMs = performance.now() - beganMs;
    assert.match(text, /^HTTP\/1\.1 408 /);
    assert.match(text, /chat-server:/i);
    assert.ok(tookMs > 9_000, `after ${tookMs} ms`);
    await wire.waitForEnd();
    assert.deepEqual(await readLines(room), []);
  });

  test('counts as a whole: a byte now and then does not stretch it', async () => {
    const room = makeRoom();
    const wire = await openWire(server);
    wire.send(`POST /chat/${room} HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n`);
    wire.send('Content-Type: application/x-www-form-urlencoded\r\n\r\n');
    const drip = setInterval(() => wire.send('x'), 500);
    try {
      assert.match(await wire.waitFor(/\r\n\r\n/, 30_000), /^HTTP\/1\.1 408 /);
    } finally {
      clearInterval(drip);
      wire.close();
    }
  });

  test('a body that breaks off is not stored, and harms nobody', async () => {
    const room = makeRoom();
    for (let n = 0; n < 20; n += 1) {
      const wire = await openWire(server);
      wire.send(`POST /chat/${room} HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n`);
      wire.send('Content-Type: application/x-www-form-urlencoded\r\n\r\nusername=a&message=m');
      wire.close();
    }
    assert.equal((await post(server, room, good)).status, 201);
    assert.deepEqual(await readLines(room), ['omri: hi']);
  });
});

suite('another site’s page', () => {
  const host = () => `127.0.0.1:${server.port}`;
  test('may not post, and this site’s own may', async () => {
    const own = { origin: `http://${host()}` };
    assert.equal((await post(server, makeRoom(), good, own)).status, 201);
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { ...own, 'sec-fetch-site': 'same-site' },
      { origin: 'http://other.example' },
    ]) {
      const room = makeRoom();
      await assertRefused(await post(server, room, good, headers), 403, /./, room);
    }
  });

  test('the refusal names what was compared', async () => {
    const answer = await post(server, makeRoom(), good, { origin: 'http://other.example' });
    assert.ok(answer.text.includes('"http://other.example"'), answer.text);
    assert.ok(answer.text.includes(`"${host()}"`), answer.text);
    assert.match(answer.text, /X-Forwarded-Host/);
  });

  test('another site may still read', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'http://other.example' };
    const answer = await read(server, 'general', headers);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  });
});

suite('a plain HTML form', () => {
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

  test('gets 303 to the room’s page, and the message is stored', async () => {
    const room = 'Form room/ש';
    const answer = await post(server, room, good, { accept: browser });
    assert.equal(answer.status, 303);
    assert.equal(decodeURIComponent(answer.headers.location ?? ''), `/${room}`);
    assert.match(answer.headers.location ?? '', /^\/[^/]+$/);
    assert.deepEqual(await readLines(room), ['omri: hi']);
  });

  test('is known by its Accept: a program gets 201', async () => {
    for (const accept of ['*/*', 'text/html;q=0.5, text/plain', 'text/event-stream']) {
      assert.equal((await post(server, makeRoom(), good, { accept })).status, 201, accept);
    }
  });

  test('that is refused gets the same refusal as others', async () => {
    const room = makeRoom();
    const fields = { username: '', message: 'm' };
    await assertRefused(
      await post(server, room, fields, { accept: browser }),
      400,
      /username/,
      room,
    );
  });
});

test('a refused message makes no file', async () => {
  const own = await startServer();
  await post(own, 'refused', { username: '', message: '' });
  await postBody(own, '/chat/refused', '{}', { 'content-type': 'application/json' });
  await post(own, 'refused', good, { 'sec-fetch-site': 'cross-site' });
  await read(own, 'refused');
  assert.deepEqual(
    readdirSync(own.store).filter((name) => name.includes('refused')),
    [],
  );
  await own.stop();
});
