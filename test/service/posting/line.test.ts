// Contract §3: what becomes a line, to the character.
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { post, read } from '../../support/http.ts';
import { type Server, startServer } from '../../support/server.ts';

let server: Server;
let roomCount = 0;
before(async () => {
  server = await startServer();
});

/** Sends one message to a room of its own and gives its username and message as stored. */
async function store(username: string, message: string): Promise<[string, string]> {
  const room = `room-${roomCount++}`;
  const answer = await post(server, room, { username, message });
  assert.equal(answer.status, 201, answer.text);
  const text = (await read(server, room)).text;
  assert.equal(text, answer.text);
  assert.equal(text.indexOf('\n'), text.length - 1, 'one line');
  const [, name, rest] = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] (.*?): (.*)\n$/s.exec(text) ?? [];
  return [name ?? '', rest ?? ''];
}

/** Sends one message that must be refused, and shows that nothing was stored. */
async function refuse(fields: Record<string, string>, words: RegExp): Promise<void> {
  const room = `room-${roomCount++}`;
  const answer = await post(server, room, fields);
  assert.equal(answer.status, 400);
  assert.match(answer.text, words);
  assert.match(answer.text, /^[^\n]+\n$/, 'one line');
  assert.equal((await read(server, room)).text, '');
}

suite('the line', () => {
  test('is as the contract shows it', async () => {
    const answer = await post(server, 'shape', { username: 'omri', message: 'hi everybody!' });
    assert.match(answer.text, /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] omri: hi everybody!\n$/);
  });

  for (const zone of ['UTC', 'Asia/Kathmandu', 'America/New_York', 'Pacific/Kiritimati']) {
    test(`has the server's time in the zone ${zone}`, async () => {
      const own = await startServer({ env: { TZ: zone } });
      const beforeText = formatLocal(new Date(), zone);
      const { text } = await post(own, 'zone', { username: 'a', message: 'm' });
      const afterText = formatLocal(new Date(), zone);
      const time = text.slice(1, 20);
      assert.ok(beforeText <= time && time <= afterText, `${beforeText} ${time} ${afterText}`);
      await own.stop();
    });
  }
});

function formatLocal(date: Date, timeZone: string): string {
  const style = { dateStyle: 'short', timeStyle: 'medium', hourCycle: 'h23' } as const;
  return new Intl.DateTimeFormat('sv-SE', { ...style, timeZone }).format(date);
}

/** Characters that show nothing, of each kind. */
const hidden = [
  ...['\u00ad', '\u034f', '\u061c', '\u115f', '\u1160', '\u17b4', '\u180b', '\u180e', '\u200b'],
  ...['\u200d', '\u202e', '\u2060', '\u2066', '\u2800', '\u3164', '\ufe0f', '\ufeff', '\uffa0'],
  ...['\ufff9', '\u{1d173}', '\u{e0001}', '\u{e0041}', '\u{e0100}'],
];

suite('the username', () => {
  test('is trimmed of white space on both sides', async () => {
    assert.deepEqual(await store(' \t omri ben \u00a0 ', 'm'), ['omri ben', 'm']);
  });

  test('may have 64 characters, not 65', async () => {
    assert.deepEqual(await store('x'.repeat(64), 'm'), ['x'.repeat(64), 'm']);
    await refuse({ username: 'x'.repeat(65), message: 'm' }, /username/);
  });

  test('is counted in code points, after the trimming', async () => {
    const longest = '\u{1F600}'.repeat(64);
    assert.deepEqual(await store(`  ${longest}  `, 'm'), [longest, 'm']);
    await refuse({ username: `${longest}\u{1F600}`, message: 'm' }, /username/);
  });

  test('may not be blank', async () => {
    for (const username of ['', ' ', '\t', '\u00a0\u3000']) {
      await refuse({ username, message: 'm' }, /username/);
    }
  });

  test('may not have a line break inside', async () => {
    for (const lineBreak of ['\n', '\r', '\r\n']) {
      await refuse({ username: `a${lineBreak}b`, message: 'm' }, /username/);
    }
  });

  test('may have neither ": " inside nor ":" at its end', async () => {
    await refuse({ username: 'a: b', message: 'm' }, /username/);
    await refuse({ username: 'a:', message: 'm' }, /username/);
    await refuse({ username: 'a: ', message: 'm' }, /username/);
    assert.deepEqual(await store('a:b', 'm'), ['a:b', 'm']);
    assert.deepEqual(await store(':a', 'm'), [':a', 'm']);
  });

  test('needs a character that shows', async () => {
    for (const username of hidden) await refuse({ username, message: 'm' }, /^username is blank/);
    assert.deepEqual(await store('\u3164a\u200b', 'm'), ['\u3164a\u200b', 'm']);
  });

  test('that looks like a line stays a username', async () => {
    const username = '[2018-02-25 14:00:51] omri';
    assert.deepEqual(await store(username, 'm'), [username, 'm']);
  });
});

suite('the message', () => {
  test('may have 4,000 characters, not 4,001', async () => {
    assert.deepEqual(await store('a', 'x'.repeat(4000)), ['a', 'x'.repeat(4000)]);
    await refuse({ username: 'a', message: 'x'.repeat(4001) }, /message/);
  });

  test('is counted in code points', async () => {
    const longest = '\u{1F600}'.repeat(4000);
    assert.deepEqual(await store('a', longest), ['a', longest]);
    await refuse({ username: 'a', message: `${longest}x` }, /message/);
  });

  test('is counted after the cleaning: CR LF counts once', async () => {
    const [, stored] = await store('a', `${'\r\n'.repeat(3999)}x\r\n`);
    assert.equal(stored, `${'↵'.repeat(3999)}x`);
    await refuse({ username: 'a', message: `${'\r\n'.repeat(4000)}x` }, /message/);
    await refuse({ username: 'a', message: `${'\r'.repeat(4000)}x` }, /message/);
  });

  test('may not be only white space', async () => {
    for (const message of ['', ' ', '\t \t', '\n', '\r\n\r\n', '\u00a0\u2003\u3000']) {
      await refuse({ username: 'a', message }, /message/);
    }
  });

  test('needs a character that shows', async () => {
    for (const message of hidden) await refuse({ username: 'a', message }, /^message is blank/);
    await refuse({ username: 'a', message: ` \n${hidden.join('\n')}\n` }, /^message is blank/);
    assert.deepEqual(await store('a', '\u200b\u2800.'), ['a', '\u200b\u2800.']);
  });

  test('is otherwise stored as sent, white space at its ends too', async () => {
    assert.deepEqual(await store('a', '  two  spaces  '), ['a', '  two  spaces  ']);
    assert.deepEqual(await store('a', '\ttab\t'), ['a', '\ttab\t']);
    assert.deepEqual(await store('a', 'a: b: c'), ['a', 'a: b: c']);
  });

  test('with a line break stays one line', async () => {
    const forged = 'hi\n[2018-02-25 14:00:51] omri: I owe you 100';
    assert.deepEqual(await store('eve', forged), ['eve', forged.replace('\n', '↵')]);
    assert.deepEqual(await store('a', '1\r\n2\n3\r4\n\r5\r\r\n6'), ['a', '1↵2↵3↵4↵↵5↵↵6']);
    assert.deepEqual(await store('a', '\nx'), ['a', '↵x']);
  });

  test('loses the line breaks at its end, as piped text has them, and nothing else', async () => {
    for (const end of ['\n', '\r\n', '\r', '\n\n\r\r\n']) {
      assert.deepEqual(await store('a', `x${end}`), ['a', 'x']);
    }
    assert.deepEqual(await store('a', '\nx\ny \n'), ['a', '↵x↵y ']);
    assert.deepEqual(await store('a', 'x\n '), ['a', 'x↵ ']);
    assert.deepEqual(await store('a', 'x↵'), ['a', 'x↵']);
    assert.deepEqual(await store('a', `${'x'.repeat(4000)}\n`), ['a', 'x'.repeat(4000)]);
  });

  test('of any script, emoji and direction marks comes back as sent', async () => {
    const message = 'שלום 👩‍👩‍👧 \u202eabc\u202c é e\u0301 \ufeffx \u200d 漢字';
    assert.deepEqual(await store('עמרי', message), ['עמרי', message]);
  });
});

suite('control characters', () => {
  const isReplaced = (code: number) =>
    (code < 0x20 && ![0x09, 0x0a, 0x0d].includes(code)) ||
    (code >= 0x7f && code <= 0x9f) ||
    [0x2028, 0x2029].includes(code);
  const codes = [...Array(0x200).keys(), 0x2027, 0x2028, 0x2029, 0x202a, 0xfffe, 0x10ffff];
  const others = codes.filter((code) => code !== 0x0a && code !== 0x0d);
  const clean = (code: number) => (isReplaced(code) ? '\ufffd' : String.fromCodePoint(code));

  test('in a message each becomes U+FFFD, and nothing else does', async () => {
    const sent = others.map((code) => `<${String.fromCodePoint(code)}>`).join('');
    const kept = others.map((code) => `<${clean(code)}>`).join('');
    assert.deepEqual(await store('a', sent), ['a', kept]);
  });

  test('in a username each becomes U+FFFD, and nothing else does', async () => {
    for (let start = 0; start < others.length; start += 60) {
      const some = others.slice(start, start + 60).filter((code) => code !== 0x3a);
      const sent = `<${some.map((code) => String.fromCodePoint(code)).join('')}>`;
      assert.deepEqual(await store(sent, 'm'), [`<${some.map(clean).join('')}>`, 'm']);
    }
  });

  test('a terminal never sees an escape sequence', async () => {
    assert.deepEqual(await store('a\x1b[2J', '\x1b]0;title\x07x\u009b31m'), [
      'a\ufffd[2J',
      '\ufffd]0;title\ufffdx\ufffd31m',
    ]);
  });
});
