// application/x-www-form-urlencoded (contract §4): the result equals that of URLSearchParams.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { parseUrlencoded } from '../../../../lib/http/request/urlencoded.ts';

/**
 * Node 20's URLSearchParams cuts characters to their low byte where a broken UTF-8 escape stands in
 * the same text, so it gets each bare character as the escapes that the URL Standard makes of it.
 */
function check(body: string): void {
  const escaped = body.replace(/[^\0-\x7f]/gu, (character) =>
    encodeURIComponent(character.toWellFormed()),
  );
  assert.deepEqual(parseUrlencoded(Buffer.from(body)), [...new URLSearchParams(escaped)], body);
}

suite('a urlencoded body', () => {
  const bodies: Record<string, [string, [string, string][]]> = {
    'has pairs': [
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    'may repeat a name': [
      'a=1&a=2',
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    'may leave it out here and there': [
      'a&b=1&c&d&e=2=3&f',
      [
        ['a', ''],
        ['b', '1'],
        ['c', ''],
        ['d', ''],
        ['e', '2=3'],
        ['f', ''],
      ],
    ],
    'may leave out the equals sign': [
      'a&b=',
      [
        ['a', ''],
        ['b', ''],
      ],
    ],
    'may have an empty name': [
      '=1&=',
      [
        ['', '1'],
        ['', ''],
      ],
    ],
    'splits at the first equals sign': ['a=b=c==', [['a', 'b=c==']]],
    'skips empty pairs': [
      '&&a=1&&&b=2&',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    'may be empty': ['', []],
    'may be separators alone': ['&&&', []],
    'loses one leading question mark': ['??a=1', [['?a', '1']]],
    'loses it where nothing follows': ['?', []],
    'loses it before a separator': ['?&a', [['a', '']]],
    'has spaces as plus signs': ['a+b=+1+', [['a b', ' 1 ']]],
    'has escaped plus signs': ['a=1%2B1', [['a', '1+1']]],
    'decodes names too': ['%61%3D=%26', [['a=', '&']]],
    'decodes either case': ['a=%d7%A9', [['a', '\u05e9']]],
    'keeps a broken escape': [
      'a=%&b=%4&c=%zz&d=%4g&e=%%41',
      [
        ['a', '%'],
        ['b', '%4'],
        ['c', '%zz'],
        ['d', '%4g'],
        ['e', '%A'],
      ],
    ],
    'does not let an escape reach over a separator': [
      'a=%4&1=b',
      [
        ['a', '%4'],
        ['1', 'b'],
      ],
    ],
    'keeps a byte order mark': ['%EF%BB%BFa=\ufeffb', [['\ufeffa', '\ufeffb']]],
    'replaces what is not UTF-8': ['a=%FF%C0%AF%ED%A0%80', [['a', '\ufffd'.repeat(6)]]],
    'replaces a cut sequence once': [
      'a=%F0%9F%A6&b=%E2%82',
      [
        ['a', '\ufffd'],
        ['b', '\ufffd'],
      ],
    ],
    'may have a NUL': ['a=%00', [['a', '\0']]],
    'may have bare characters': ['\u05e9=\u{1f98a}%', [['\u05e9', '\u{1f98a}%']]],
    'joins a bare byte and an escape to nothing but what they are': [
      'a=\u00e9%A9',
      [['a', '\u00e9\ufffd']],
    ],
    'knows no semicolon': ['a=1;b=2', [['a', '1;b=2']]],
    'may be named like what objects inherit': [
      '__proto__=1&toString=2',
      [
        ['__proto__', '1'],
        ['toString', '2'],
      ],
    ],
  };
  for (const [what, [body, fields]] of Object.entries(bodies)) {
    test(what, () => {
      assert.deepEqual(parseUrlencoded(Buffer.from(body)), fields);
      check(body);
    });
  }

  test('of 100,000 kinds is what URLSearchParams makes of it', () => {
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
      { numRuns: 100_000 },
    );
  });

  test('of bytes that are not UTF-8 is what the same bytes escaped are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const escaped = [...bytes].map((byte) =>
          byte < 0x80 ? String.fromCharCode(byte) : `%${byte.toString(16)}`,
        );
        assert.deepEqual(parseUrlencoded(Buffer.from(bytes)), [
          ...new URLSearchParams(escaped.join('')),
        ]);
      }),
      { numRuns: 20_000 },
    );
  });
});
