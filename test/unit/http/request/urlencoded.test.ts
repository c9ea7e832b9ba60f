// application/x-www-form-urlencoded (contract §4): the result equals that of URLSearchParams for text
// that is UTF-8, and other bytes are refused.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../../lib/errors.ts';
import { parseUrlencoded } from '../../../../lib/http/request/urlencoded.ts';

/**
 * Node 20's URLSearchParams cuts characters to their low byte where a broken UTF-8 escape stands in
 * the same text, so it gets each byte above ASCII as an escape.
 */
function parseWithUrlSearchParams(body: Buffer): [string, string][] {
  const escaped = body
    .toString('latin1')
    .replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  return [...new URLSearchParams(escaped)];
}

/** Undoes the escapes of a text whose characters stand for bytes. */
function toBare(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function check(sent: string | Uint8Array): void {
  const body = Buffer.from(sent as string);
  const shown = body.toString('latin1');
  // Separators are ASCII, so all names and values are UTF-8 if the whole is.
  if (isUtf8(Buffer.from(toBare(shown), 'latin1'))) {
    assert.deepEqual(parseUrlencoded(body), parseWithUrlSearchParams(body), shown);
  } else {
    assert.throws(() => parseUrlencoded(body), isRefusal, shown);
  }
}

function isRefusal(error: unknown): boolean {
  assert.ok(error instanceof ServiceError, String(error));
  assert.equal(error.code, 'bad-request');
  assert.match(error.message, /^(username|message|msg|a field|the name of a field) is not UTF-8; /);
  return true;
}

suite('a urlencoded body', () => {
  test('joins a bare byte and an escaped one to a character', () => {
    const body = Buffer.from('m=\xc3%A9%c3\xa9', 'latin1');
    assert.deepEqual(parseUrlencoded(body), [['m', 'éé']]);
  });

  test('may have U+FFFD in it, bare and escaped', () => {
    const body = Buffer.from('m=\ufffd%EF%BF%BD');
    assert.deepEqual(parseUrlencoded(body), [['m', '\ufffd\ufffd']]);
  });

  const bytes: Record<string, string> = {
    'a byte that no character has': '%FF',
    'Latin-1': '%E9t%E9',
    'a continuation alone': '%A9',
    'an overlong slash': '%C0%AF',
    'an overlong NUL': '%E0%80%80',
    'an overlong character of three bytes': '%F0%82%82%AC',
    'a sequence cut after its first byte': '%C3',
    'a sequence cut before its last byte': '%F0%9F%A6',
    'a sequence cut by a letter': '%E2%82a%AC',
    'a surrogate': '%ED%A0%80',
    'a pair of surrogates (CESU-8)': '%ED%A0%BD%ED%B8%80',
    'a code point past the last': '%F4%90%80%80',
    'five bytes of old UTF-8': '%F8%88%80%80%80',
    'UTF-16 with its byte order mark': '%FF%FEh%00i%00',
    'Windows-1252 quotes': '%93hi%94',
    'Shift JIS': '%93%FA%96%7B',
  };
  for (const [what, escapes] of Object.entries(bytes)) {
    test(`with ${what} is refused, escaped or bare, in a name or a value`, () => {
      for (const sent of [escapes, toBare(escapes)]) {
        const parts: [body: string, words: RegExp][] = [
          [`username=${sent}&message=m`, /^username is not UTF-8; /],
          [`message=a${sent}`, /^message is not UTF-8; /],
          [`msg=${sent}a`, /^msg is not UTF-8; /],
          [`message=m&other=${sent}`, /^a field is not UTF-8; /],
          [`${sent}=m`, /^the name of a field is not UTF-8; /],
          [`${sent}`, /^the name of a field is not UTF-8; /],
        ];
        for (const [body, words] of parts) {
          const bytes = Buffer.from(body, 'latin1');
          assert.throws(() => parseUrlencoded(bytes), { message: words });
          check(bytes);
        }
      }
    });
  }

  test('has no character that begins in a name and ends in its value', () => {
    const body = Buffer.from('a%C3=%A9', 'latin1');
    assert.throws(() => parseUrlencoded(body), isRefusal);
  });

  test('of 20,000 kinds is what URLSearchParams makes of it, or refused', () => {
    const hex = fc.constantFrom(...'0123456789abcdefABCDEF');
    const unit = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          '&',
          '=',
          '+',
          '%',
          '?',
          'a',
          'username',
          'msg',
          '4',
          'f',
          ';',
          '#',
        ),
      },
      { weight: 4, arbitrary: fc.tuple(hex, hex).map(([high, low]) => `%${high}${low}`) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          '%EF%BB%BF',
          '\ufeff',
          '%F0%9F%A6%8A',
          '%C0%80',
          '%ED%A0%80',
          '\u{1f98a}',
          '\u2028',
        ),
      },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 24, size: 'max' }), (units) => check(units.join(''))),
      { numRuns: 20_000 },
    );
  });

  test('of any 20,000 bytes is what URLSearchParams makes of them, or refused', () => {
    const unit = fc.oneof(
      fc.constantFrom(...'&=%+aé'),
      fc.string({ unit: 'binary', maxLength: 2 }),
    );
    const pieces = fc.oneof(
      fc.uint8Array({ maxLength: 3 }).map((some) => Buffer.from(some)),
      unit.map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (all) => {
        check(Buffer.concat(all));
      }),
      { numRuns: 20_000 },
    );
  });
});
