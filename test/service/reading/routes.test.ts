// Contract §2: what answers where.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { type Answer, ask, get, openWire, post, postBody, read } from '../../support/http.ts';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';

const page = readFileSync(join(projectFolder, 'static', 'index.html'), 'utf8');
const form = 'username=omri&message=hi';

let server: Server;
before(async () => {
  server = await startServer({ env: { CHAT_SERVER_NAME: 'test-replica' } });
});

suite('the page', () => {
  for (const path of [
    '/',
    '/general',
    '/never-used',
    '/%D7%A9%D7%9C%D7%95%D7%9D',
    '/a%2Fb',
    '/?x=1',
  ]) {
    test(`GET ${path} is static/index.html`, async () => {
      const answer = await get(server, path);
      assert.equal(answer.status, 200);
      assert.equal(answer.text, page);
      assert.match(answer.headers['content-type'] ?? '', /^text\/html; ?charset=utf-8$/i);
      assert.equal(answer.headers['content-security-policy'], undefined, 'the page brings its own');
    });
  }

  test('looking at a page makes no room', async () => {
    await get(server, '/only-looked-at');
    await read(server, 'only-looked-at');
    assert.equal((await read(server, 'only-looked-at')).text, '');
  });

  test('a bad room name is 400 on the page too', async () => {
    for (const path of ['/%00', '/%FF', '/%2E%2E']) {
      assert.equal((await get(server, path)).status, 400, path);
    }
  });
});

suite('a slash after a room', () => {
  const redirects = {
    '/lobby/': '/lobby',
    '/a%2Fb/': '/a%2Fb',
    '/static/': '/static',
    '/-/': '/-',
  };
  for (const [from, to] of Object.entries(redirects)) {
    test(`GET ${from} is 308 to ${to}`, async () => {
      const answer = await get(server, from);
      assert.equal(answer.status, 308);
      assert.equal(answer.headers.location, to);
    });
  }

  test('of the text is 308 to the one without, for every method, query and all', async () => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      for (const path of ['/chat/a%2Fb', '/api/chat/lobby']) {
        const answer = await ask(server, { method, path: `${path}/?since=now` });
        assert.equal(answer.status, 308, `${method} ${path}`);
        assert.equal(answer.headers.location, `${path}?since=now`);
      }
    }
    assert.equal((await get(server, '/chat/%00/')).status, 400);
  });

  test('/chat/ is no such redirect: it is the room general', async () => {
    assert.equal((await get(server, '/chat/')).status, 200);
  });
});

suite('rooms', () => {
  test('/api/chat/<room> and /chat/<room> are one resource', async () => {
    assert.equal((await postBody(server, '/api/chat/alias', 'username=a&msg=one')).status, 201);
    assert.equal((await postBody(server, '/chat/alias', 'username=b&msg=two')).status, 201);
    const [api, chat] = [await get(server, '/api/chat/alias'), await get(server, '/chat/alias')];
    assert.match(api.text, /^\[.{19}\] a: one\n\[.{19}\] b: two\n$/);
    assert.equal(chat.text, api.text);
    assert.equal(chat.headers.etag, api.headers.etag);
    assert.equal(chat.headers['chat-cursor'], api.headers['chat-cursor']);
  });

  test('a path without a room means general', async () => {
    await postBody(server, '/chat/general', 'username=a&message=to+general');
    for (const path of ['/chat/', '/api/chat/', '/api/chat']) {
      assert.match((await get(server, path)).text, /a: to general\n/, path);
      const answer = await postBody(server, path, `username=a&message=by+${path}`);
      assert.equal(answer.status, 201, path);
    }
    assert.equal((await get(server, '/chat/general')).text.split('\n').length, 5);
  });

  test('/chat is the page of the room called chat', async () => {
    const answer = await get(server, '/chat');
    assert.equal(answer.status, 200);
    assert.equal(answer.text, page);
  });

  test('a query is ignored on every route', async () => {
    await post(server, 'query', { username: 'a', message: 'm' });
    const plain = await get(server, '/chat/query');
    assert.equal((await get(server, '/chat/query?_=1519566051&since=bad%FF')).text, plain.text);
    assert.equal((await postBody(server, '/chat/query?x=%', form)).status, 201);
    assert.equal((await get(server, '/-/healthy?x')).status, 200);
  });

  const good: Record<string, string> = {
    'one character': 'a',
    '100 characters': 'a'.repeat(100),
    '60 letters of four bytes would be too long, 20 are not': '\u{1F600}'.repeat(20),
    'a slash': 'a/b',
    'dots and a leading dot': '.hidden..name.txt',
    'upper and lower case': 'RoomRoom',
    Hebrew: 'שלום עולם',
    'a percent sign': '100%',
    'a question mark and a hash': 'what?#1',
    'a space and a plus': 'a b+c',
    'a backslash and a colon': 'C:\\con',
    'three dots': '...',
    'a name like a lock': 'general.lock',
    'a name like another stem': '%41',
  };
  for (const [what, room] of Object.entries(good)) {
    test(`a room may be named with ${what}`, async () => {
      const answer = await post(server, room, { username: 'a', message: what });
      assert.equal(answer.status, 201, answer.text);
      assert.equal((await read(server, room)).text, answer.text);
    });
  }

  test('rooms are case-sensitive', async () => {
    await post(server, 'Case', { username: 'a', message: 'upper' });
    await post(server, 'case', { username: 'a', message: 'lower' });
    assert.match((await read(server, 'Case')).text, /^\[.{19}\] a: upper\n$/);
    assert.match((await read(server, 'case')).text, /^\[.{19}\] a: lower\n$/);
  });

  test('a path segment means the same however it is escaped', async () => {
    await postBody(server, '/chat/same', 'username=a&message=once');
    assert.match((await get(server, '/chat/%73%61me')).text, /a: once\n$/);
    assert.match((await get(server, '/chat/sa%6D%65')).text, /a: once\n$/);
  });

  const bad: Record<string, string> = {
    '101 characters': 'a'.repeat(101),
    'an escaped form of 241 bytes': `${'%D7%A9'.repeat(40)}a`,
    'a dot': '%2E',
    'two dots': '%2e%2E',
    'a NUL': 'a%00',
    'a line feed': 'a%0Ab',
    'a tab': '%09',
    DEL: 'a%7F',
    'a C1 control': 'a%C2%85',
    'bytes that are not UTF-8': '%FF%FE',
    'an overlong slash': '%C0%AF',
    'half a surrogate pair': '%ED%A0%80',
    'a broken escape': '%4',
    'another broken escape': '%zz',
  };
  for (const [what, segment] of Object.entries(bad)) {
    test(`a room named with ${what} is 400`, async () => {
      for (const path of [`/chat/${segment}`, `/api/chat/${segment}`, `/${segment}`]) {
        const answer = await get(server, path);
        assert.equal(answer.status, 400, path);
        assert.match(answer.text, /^[^\n]*room[^\n]*\n$/, 'one line that names the room');
      }
      const refused = await postBody(server, `/chat/${segment}`, form);
      assert.equal(refused.status, 400);
      assert.match(refused.text, /room/);
    });
  }

  test('the escaped name may have 240 bytes, not 241', async () => {
    // 40 letters of two bytes: each byte takes three.
    const longest = 'ש'.repeat(40);
    assert.equal((await post(server, longest, { username: 'a', message: 'm' })).status, 201);
    assert.equal((await read(server, `${longest}a`)).status, 400);
    const mixed = `${'ש'.repeat(39)}abcdef`;
    assert.equal((await post(server, mixed, { username: 'a', message: 'm' })).status, 201);
    assert.equal((await read(server, `${mixed}g`)).status, 400);
    assert.equal((await read(server, `${'A'.repeat(80)}`)).status, 200);
    assert.equal((await read(server, `${'A'.repeat(81)}`)).status, 400);
  });
});

suite('other methods and paths', () => {
  const unknown = ['/chat/a/b', '/api/chat/a/b', '/a/b', '/-/nothing', '/static/none', '//a'];
  for (const path of unknown) {
    test(`GET ${path} is 404`, async () => {
      const answer = await get(server, path);
      assert.equal(answer.status, 404);
      assert.match(answer.headers['content-type'] ?? '', /^text\/plain; ?charset=utf-8$/i);
      assert.match(answer.text, /^[^\n]+\n$/);
    });
  }

  const allowed: Record<string, string[]> = {
    '/chat/general': ['GET', 'HEAD', 'OPTIONS', 'POST'],
    '/api/chat/general': ['GET', 'HEAD', 'OPTIONS', 'POST'],
    '/api/chat': ['GET', 'HEAD', 'OPTIONS', 'POST'],
    '/': ['GET', 'HEAD', 'OPTIONS'],
    '/general': ['GET', 'HEAD', 'OPTIONS'],
    '/general/': ['GET', 'HEAD', 'OPTIONS'],
    '/static/index.html': ['GET', 'HEAD', 'OPTIONS'],
    '/-/healthy': ['GET', 'HEAD', 'OPTIONS'],
    '/-/ready': ['GET', 'HEAD', 'OPTIONS'],
    '/-/metrics': ['GET', 'HEAD', 'OPTIONS'],
  };
  const toAllow = (answer: Answer) => (answer.headers.allow ?? '').split(/, */).sort();
  for (const [path, methods] of Object.entries(allowed)) {
    test(`another method at ${path} is 405 and Allow names those that are`, async () => {
      const others = ['PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'];
      for (const method of methods.includes('POST') ? others : [...others, 'POST']) {
        const answer = await ask(server, { method, path });
        assert.equal(answer.status, 405, method);
        assert.deepEqual(toAllow(answer), methods);
      }
    });

    test(`OPTIONS at ${path} is 204 with the same Allow`, async () => {
      const answer = await ask(server, { method: 'OPTIONS', path });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers['content-length'], undefined);
      assert.deepEqual(toAllow(answer), methods);
    });
  }

  test('HEAD is GET without the body', async () => {
    await post(server, 'head', { username: 'a', message: 'for HEAD' });
    const paths = ['/', '/head', '/chat/head', '/chat/never', '/static/index.html', '/-/healthy'];
    for (const path of [...paths, '/-/ready', '/chat/%00', '/a/b/c', '/head/']) {
      const full = await get(server, path);
      const head = await ask(server, { method: 'HEAD', path });
      assert.equal(head.status, full.status, path);
      assert.equal(head.body.length, 0);
      const { date: _, ...expected } = full.headers;
      const { date: __, ...actual } = head.headers;
      assert.deepEqual(actual, expected, path);
    }
  });

  test('HEAD leaves the connection good for the next request', async () => {
    const wire = await openWire(server);
    wire.send(
      'HEAD /chat/head HTTP/1.1\r\nHost: a\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    const text = await wire.waitFor(/HTTP\/1.1 200[\s\S]*HTTP\/1.1 200[\s\S]*\r\n\r\n[\s\S]/);
    assert.equal(text.match(/^HTTP\/1\.1 /gm)?.length, 2);
    wire.close();
  });

  test('an absolute form of the target is served like its path', async () => {
    const wire = await openWire(server);
    wire.send('GET http://chat.example/chat/alias HTTP/1.1\r\nHost: chat.example\r\n');
    wire.send('Connection: close\r\n\r\n');
    assert.match(await wire.waitForEnd(), /^HTTP\/1\.1 200[\s\S]* a: one\n/);
  });

  test('nothing leaves the front end’s folder', async () => {
    const paths = ['/static/../package.json', '/static/%2e%2e/package.json'];
    for (const path of [...paths, '/static/..%2fpackage.json', '/static/..%5cpackage.json']) {
      const answer = await get(server, path);
      assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
      assert.doesNotMatch(answer.text, /devDependencies/);
    }
  });
});

suite('every answer', () => {
  test('says which replica gave it, and forbids sniffing', async () => {
    const paths = ['/', '/chat/a', '/chat/%00', '/a/b/c', '/a/', '/-/healthy', '/-/metrics'];
    for (const path of [...paths, '/static/index.html']) {
      const { headers } = await get(server, path);
      assert.equal(headers['chat-server'], `test-replica (${hostname()})`, path);
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
    }
    const refused = [postBody(server, '/chat/a', ''), ask(server, { method: 'PUT', path: '/' })];
    for (const { headers, status } of await Promise.all(refused)) {
      assert.equal(headers['chat-server'], `test-replica (${hostname()})`, String(status));
      assert.equal(headers['x-content-type-options'], 'nosniff', String(status));
    }
    const etag = (await read(server, 'a')).headers.etag!;
    const unchanged = await read(server, 'a', { 'if-none-match': etag });
    assert.equal(unchanged.status, 304);
    assert.equal(unchanged.headers['chat-server'], `test-replica (${hostname()})`);
  });
});

suite('GET /static/<file>', () => {
  test('has an ETag, no-cache, and 304 when it matches', async () => {
    const answer = await get(server, '/static/index.html');
    assert.equal(answer.status, 200);
    assert.equal(answer.text, page);
    assert.equal(answer.headers['cache-control'], 'no-cache');
    assert.match(answer.headers.etag ?? '', /^(W\/)?"[^"]+"$/);
    const again = await get(server, '/static/index.html', { 'if-none-match': answer.headers.etag });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
    const other = await get(server, '/static/index.html', { 'if-none-match': '"other"' });
    assert.equal(other.status, 200);
  });

  const choices: [accept: string | undefined, encoding: string | undefined][] = [
    [undefined, undefined],
    ['gzip, deflate, br', 'br'],
    ['gzip;q=0.5, br;q=0', 'gzip'],
  ];
  for (const [accept, encoding] of choices) {
    test(`Accept-Encoding ${accept} gives ${encoding ?? 'the bytes as they are'}`, async () => {
      const folder = makeTempFolder('static');
      const script = 'export const line = "[2018-02-25 14:00:51] omri: hi";\n'.repeat(200);
      writeFileSync(join(folder, 'index.html'), page);
      writeFileSync(join(folder, 'app.js'), script);
      const own = await startServer({ env: { CHAT_STATIC: folder } });
      const answer = await get(own, '/static/app.js', accept ? { 'accept-encoding': accept } : {});
      assert.equal(answer.headers['content-encoding'], encoding);
      assert.match(answer.headers.vary ?? '', /accept-encoding/i);
      assert.match(answer.headers['content-type'] ?? '', /^text\/javascript/);
      assert.equal(Number(answer.headers['content-length']), answer.body.length);
      const plain = { gzip: gunzipSync, br: brotliDecompressSync };
      const decode = encoding && plain[encoding as 'gzip' | 'br'];
      assert.equal((decode ? decode(answer.body) : answer.body).toString(), script);
      await own.stop();
    });
  }
});
