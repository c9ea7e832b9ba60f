// Contract §9: rooms are files that people keep, edit, move and read with their own tools.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { post, read } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';

const time = '[2018-02-25 14:00:51] ';
const line = (message: string) => `${time}omri: ${message}\n`;

let server: Server;
before(async () => {
  server = await startServer();
});

const toPath = (name: string) => join(server.store, name);
const say = (room: string, message: string) => post(server, room, { username: 'a', message });

suite('file names', () => {
  const names: Record<string, string> = {
    general: 'general.txt',
    'a_b-c.d': 'a_b-c.d.txt',
    General: '%47eneral.txt',
    '.hidden': '%2Ehidden.txt',
    'a/b': 'a%2Fb.txt',
    '..a': '%2E.a.txt',
    '100%': '100%25.txt',
    'a b+c': 'a%20b%2Bc.txt',
    שלום: '%D7%A9%D7%9C%D7%95%D7%9D.txt',
    '~': '%7E.txt',
    'con:': 'con%3A.txt',
    '\u{1F600}': '%F0%9F%98%80.txt',
  };
  for (const [room, name] of Object.entries(names)) {
    test(`the room ${room} is ${name}`, async () => {
      const { text } = await say(room, 'm');
      assert.equal(readFileSync(toPath(name), 'utf8'), text);
    });
  }

  test('nothing but rooms stays in the folder once nobody writes', async () => {
    await say('tidy', 'm');
    const strangers = readdirSync(server.store).filter((name) => !/\.txt$/.test(name));
    // What the service keeps for itself is never taken for a room.
    for (const name of strangers) {
      assert.doesNotMatch(name, /^[a-z]/, `${name} could be somebody’s room`);
    }
  });
});

suite('a file made by hand', () => {
  const contents: Record<string, string | Buffer> = {
    'as the server writes it': line('one') + line('two'),
    'with lines of any kind': 'no line of chat\n\n\n# a title\n',
    'with CR LF': 'one\r\ntwo\r\n',
    'without a last LF': `${line('one')}half`,
    'of one line without LF': 'half',
    'of bytes that are not UTF-8': Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x0a, 0x80, 0x0a]),
    'with a byte order mark': `\ufeff${line('one')}`,
    'of only LF': '\n',
    'of nothing': '',
    'of one very long line': `${'x'.repeat(300_000)}\n`,
  };
  for (const [what, content] of Object.entries(contents)) {
    test(`${what} is served as it is`, async () => {
      writeFileSync(toPath('by-hand.txt'), content);
      const { status, headers, body } = await read(server, 'by-hand');
      const bytes = Buffer.from(content);
      assert.equal(status, 200);
      assert.deepEqual(body, bytes);
      assert.equal(headers['content-length'], String(bytes.length));
      const end = bytes.lastIndexOf(0x0a) + 1;
      assert.match(String(headers['chat-cursor']), new RegExp(`-${end}$`), 'after the last LF');
    });

    test(`${what} takes the next message on a line of its own`, async () => {
      const name = `hand-${what.replaceAll(' ', '-').toLowerCase()}`;
      writeFileSync(toPath(`${name}.txt`), content);
      const answer = await say(name, 'next');
      assert.equal(answer.status, 201);
      const before = Buffer.from(content);
      const needsBreak = before.length > 0 && before.at(-1) !== 0x0a;
      const expected = Buffer.concat([before, Buffer.from((needsBreak ? '\n' : '') + answer.text)]);
      assert.deepEqual(readFileSync(toPath(`${name}.txt`)), expected);
      assert.match(String(answer.headers['chat-cursor']), new RegExp(`-${expected.length}$`));
      assert.deepEqual((await read(server, name)).body, expected);
    });
  }
});

suite('an edit shows at once, with a new tag', () => {
  const edits: Record<string, (path: string) => void> = {
    'a line added': (path) => appendFileSync(path, line('added')),
    'half a line added': (path) => appendFileSync(path, 'half'),
    'a letter changed in place': (path) =>
      writeFileSync(path, readFileSync(path, 'utf8').replace('one', 'One')),
    'the last line cut': (path) => truncateSync(path, line('one').length),
    'all cut': (path) => truncateSync(path, 0),
    'replaced by rename': (path) => {
      writeFileSync(`${path}.tmp~`, line('ONE') + line('TWO'));
      renameSync(`${path}.tmp~`, path);
    },
    'replaced by rename with the old times': (path) => {
      writeFileSync(`${path}.tmp~`, line('ONE') + line('TWO'));
      utimesSync(`${path}.tmp~`, 1_500_000_000, 1_500_000_000);
      renameSync(`${path}.tmp~`, path);
    },
    'its times set back after a change': (path) => {
      writeFileSync(path, readFileSync(path, 'utf8').replace('one', 'eno'));
      utimesSync(path, 1_500_000_000, 1_500_000_000);
    },
    deleted: (path) => rmSync(path),
  };
  for (const [what, edit] of Object.entries(edits)) {
    test(what, async () => {
      const path = toPath('edited.txt');
      writeFileSync(path, line('one') + line('two'));
      utimesSync(path, 1_500_000_000, 1_500_000_000);
      const tag = (await read(server, 'edited')).headers.etag!;
      assert.equal((await read(server, 'edited', { 'if-none-match': tag })).status, 304);
      edit(path);
      const answer = await read(server, 'edited', { 'if-none-match': tag });
      assert.equal(answer.status, 200);
      assert.equal(answer.text, existsSync(path) ? readFileSync(path, 'utf8') : '');
      const { text } = await say('edited', 'after');
      assert.ok((await read(server, 'edited')).text.endsWith(text));
      assert.ok(readFileSync(path, 'utf8').endsWith(text));
    });
  }

  test('a hundred edits within a moment are all seen', async () => {
    for (let n = 100; n < 200; n += 1) {
      writeFileSync(toPath('quick.txt'), `${n}\n`);
      assert.equal((await read(server, 'quick')).text, `${n}\n`);
    }
  });
});

suite('a room that is deleted and begun anew', () => {
  test('is empty, then has only what is new', async () => {
    await say('gone', 'old');
    rmSync(toPath('gone.txt'));
    const empty = await read(server, 'gone');
    assert.equal(empty.status, 200);
    assert.equal(empty.text, '');
    assert.equal(empty.headers['chat-cursor'], '00000000-0');
    const { text } = await say('gone', 'new');
    assert.equal((await read(server, 'gone')).text, text);
  });

  test('survives its whole folder being emptied', async () => {
    const own = await startServer();
    await post(own, 'x', { username: 'a', message: 'old' });
    for (const name of readdirSync(own.store)) rmSync(join(own.store, name), { recursive: true });
    const answer = await post(own, 'x', { username: 'a', message: 'new' });
    assert.equal(answer.status, 201, answer.text);
    assert.equal((await read(own, 'x')).text, answer.text);
    await own.stop();
  });
});

suite('the folder', () => {
  test('is made where it is missing', async () => {
    const store = join(makeTempFolder('parent'), 'new', 'rooms');
    const own = await startServer({ store });
    assert.equal((await post(own, 'a', { username: 'a', message: 'm' })).status, 201);
    assert.ok(existsSync(join(store, 'a.txt')));
    await own.stop();
  });

  test('keeps its rooms over a restart', async () => {
    const own = await startServer();
    const { text, headers } = await post(own, 'kept', { username: 'a', message: 'm' });
    assert.deepEqual(await own.stop(), { code: 0, signal: null });
    const next = await startServer({ store: own.store });
    const answer = await read(next, 'kept');
    assert.equal(answer.text, text);
    assert.equal(answer.headers['chat-cursor'], headers['chat-cursor']);
    await next.stop();
  });

  test('with a folder where a room’s file should be refuses that room alone', async () => {
    mkdirSync(toPath('folder.txt'));
    const answer = await say('folder', 'm');
    assert.ok(answer.status >= 500, String(answer.status));
    assert.doesNotMatch(answer.text, /node:|\.txt|\//, 'nothing of the inside shows');
    assert.equal((await say('beside', 'm')).status, 201);
  });

  test('may hold a link to a file elsewhere', async () => {
    const target = join(makeTempFolder('elsewhere'), 'notes');
    writeFileSync(target, line('linked'));
    symlinkSync(target, toPath('linked.txt'));
    assert.equal((await read(server, 'linked')).text, line('linked'));
    const { text } = await say('linked', 'more');
    assert.equal(readFileSync(target, 'utf8'), line('linked') + text);
  });
});

suite('while a writer holds the lock', () => {
  test('a reader never sees half a line', async () => {
    let isWriting = true;
    const long = 'x'.repeat(3900);
    const writer = (async () => {
      for (let n = 0; n < 150; n += 1) {
        await Promise.all(['1', '2', '3'].map((part) => say('halves', `${part}${long}`)));
      }
      isWriting = false;
    })();
    let reads = 0;
    while (isWriting) {
      const { text } = await read(server, 'halves', { range: 'bytes=-4096' });
      if (text !== '' && !text.startsWith('bytes')) {
        assert.ok(text.endsWith('\n'), `ends in ${JSON.stringify(text.slice(-40))}`);
      }
      reads += 1;
    }
    await writer;
    assert.ok(reads > 10, `${reads} reads`);
    for (const one of (await read(server, 'halves')).text.split('\n').slice(0, -1)) {
      assert.match(one, /^\[.{19}\] a: [123]x{3900}$/);
    }
  });
});
