// Messages and lines: limits, cleaning, formatting and parsing.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  formatLine,
  formatTime,
  MAX_MESSAGE_CHARACTERS,
  MAX_USERNAME_CHARACTERS,
  parseLine,
  toEntry,
} from '../../../lib/room/message.ts';
import { listCharacters, show, vectors } from './vectors.ts';

const { time } = vectors;

/** Texts of every kind, in which the characters that matter to the grammar are frequent. */
function makeText(maxLength: number): fc.Arbitrary<string> {
  const unit = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom(...'ab:: []0-\r\n\t\u0000\u001b\u007f\u0085\u2028\u21b5'),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
  );
  return fc.string({ unit, maxLength, size: 'max' });
}

suite('a message from a sender', () => {
  for (const { username, message, line, fault } of vectors.lines) {
    const what = `username ${show(username)} and message ${show(message)}`;
    const sent = [username ?? undefined, message ?? undefined] as const;
    if (line !== undefined) {
      test(`with ${what} is stored as ${show(line)}`, () => {
        const { entry } = toEntry(...sent);
        assert.ok(entry !== undefined);
        assert.equal(formatLine(time, entry), line);
        assert.deepEqual(parseLine(line), { time, ...entry });
      });
    } else {
      test(`with ${what} is refused for its ${fault}, in one line`, () => {
        const { entry, fault: words } = toEntry(...sent);
        assert.equal(entry, undefined);
        assert.match(words ?? '', new RegExp(`^${fault} [\\x20-\\x7e]+$`));
      });
    }
  }

  test('may end in any number of line breaks, and 64 KiB of them cost no time', () => {
    const breaks = '\r\n\n\r'.repeat(16_384);
    assert.equal(toEntry('a', `m${breaks}`).entry?.message, 'm');
    assert.match(toEntry('a', breaks).fault ?? '', /^message is blank/);
    assert.match(toEntry('a', `${breaks}m`).fault ?? '', /^message is too long/);
  });

  test('needs a character that shows, and a control character does, as it becomes U+FFFD', () => {
    const hidden = /^[\s\u2800\u3164\p{Cf}\p{Default_Ignorable_Code_Point}]$/u;
    for (const character of listCharacters()) {
      const { fault } = toEntry('a', character);
      const isRight = hidden.test(character) ? fault?.startsWith('message is blank') : !fault;
      if (!isRight) assert.fail(`${show(character)}: ${fault}`);
    }
  });
});

suite('a line that an older version stored', () => {
  for (const { line, ...entry } of vectors.readLines) {
    test(`(${show(line)}) reads back the same`, () => {
      assert.deepEqual(parseLine(line), { time, ...entry });
      assert.equal(formatLine(time, entry), line);
    });
  }
});

suite('the limits', () => {
  test('a megabyte is refused as one character too many is', () => {
    assert.match(toEntry('a', 'm'.repeat(1 << 20)).fault ?? '', /^message is too long/);
    assert.match(toEntry('a'.repeat(1 << 20), 'm').fault ?? '', /^username is too long/);
  });
});

suite('20,000 random usernames and messages', () => {
  test('give one line that is parsed back to the same parts, or a fault', () => {
    let storedCount = 0;
    fc.assert(
      fc.property(makeText(70), makeText(40), (username, message) => {
        const { entry, fault } = toEntry(username, message);
        if (entry === undefined) {
          assert.match(fault, /^(username|message) [\x20-\x7e]+$/);
          return;
        }
        storedCount += 1;
        const line = formatLine(time, entry);
        assert.equal(line.indexOf('\n'), line.length - 1, 'one line');
        assert.doesNotMatch(line.slice(0, -1), /[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/);
        assert.ok([...entry.username].length <= MAX_USERNAME_CHARACTERS);
        assert.ok([...entry.message].length <= MAX_MESSAGE_CHARACTERS);
        assert.equal(entry.username.trim(), entry.username);
        assert.deepEqual(parseLine(line), { time, ...entry });
        assert.deepEqual(parseLine(line.slice(0, -1)), { time, ...entry });
        assert.deepEqual(
          toEntry(entry.username, entry.message),
          { entry },
          'cleaning twice changes nothing more',
        );
      }),
      { numRuns: 20_000 },
    );
    assert.ok(storedCount > 2_000, `only ${storedCount} stored`);
  });
});

suite('a line that was never a message', () => {
  const strangers = {
    'an empty one': '',
    'a note made by hand': 'remember the milk',
    'one without a message': '[2018-02-25 14:00:51] omri: ',
    'one without a username': '[2018-02-25 14:00:51] : hi',
    'one with a blank username': '[2018-02-25 14:00:51]  : hi',
    'one with an untrimmed username': '[2018-02-25 14:00:51]  omri: hi',
    'one without a space after the colon': '[2018-02-25 14:00:51] omri:hi',
    'one with another time': '[2018-02-25T14:00:51] omri: hi',
    'one with a short time': '[2018-02-25 14:00] omri: hi',
    'one with a CR at its end': '[2018-02-25 14:00:51] omri: hi\r',
    'one with a control in it': '[2018-02-25 14:00:51] omri: \u001b[2J',
    'one that begins with a space': ' [2018-02-25 14:00:51] omri: hi',
    'two lines': '[2018-02-25 14:00:51] omri: hi\n[2018-02-25 14:00:51] eve: hi',
    'one with two LFs': '[2018-02-25 14:00:51] omri: hi\n\n',
    'one with a username of 65 characters': `[2018-02-25 14:00:51] ${'a'.repeat(65)}: hi`,
    'one with a message of 4,001 characters': `[2018-02-25 14:00:51] a: ${'m'.repeat(4001)}`,
  };
  for (const [what, line] of Object.entries(strangers)) {
    test(`(${what}) is not parsed`, () => assert.equal(parseLine(line), undefined));
  }

  test('is not parsed, or into exactly its own parts, for 20,000 lines near the grammar', () => {
    const unit = fc.constantFrom(
      '[',
      ']',
      '2018-02-25',
      ' ',
      '14:00:51',
      'omri',
      ':',
      ': ',
      'hi',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 10 }), (units) => {
        const line = units.join('');
        const parsed = parseLine(line);
        if (parsed === undefined) return;
        const { time: shown, ...entry } = parsed;
        assert.equal(formatLine(shown, entry), line.endsWith('\n') ? line : `${line}\n`);
      }),
      { numRuns: 20_000 },
    );
  });
});

suite('the time', () => {
  test('changes with every second', () => {
    for (const ms of [0, 999, 1000, 1500, 999, 86_400_000, 951_782_400_000, -1]) {
      const date = new Date(ms);
      const two = (value: number) => String(value).padStart(2, '0');
      const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
      const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
      assert.equal(formatTime(ms), `${day} ${clock}`);
    }
  });
});
