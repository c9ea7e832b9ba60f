// application/json (contract §4): one object with the fields of a message.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../../lib/errors.ts';
import { parseJson } from '../../../../lib/http/request/json.ts';

const parse = (text: string) => parseJson(Buffer.from(text));

function assertRefused(body: string | Buffer, words: RegExp): void {
  assert.throws(
    () => parseJson(Buffer.from(body as string)),
    (error) => {
      assert.ok(error instanceof ServiceError, String(error));
      assert.equal(error.code, 'bad-request');
      assert.match(error.message, words);
      assert.match(error.message, /^[\x20-\x7e]+$/, 'one line');
      return true;
    },
  );
}

suite('a JSON object', () => {
  const objects: Record<string, [string, [string, string][]]> = {
    'has the fields of a message': [
      '{"username":"omri","message":"hi"}',
      [
        ['username', 'omri'],
        ['message', 'hi'],
      ],
    ],
    'may have msg': ['{"msg":"hi"}', [['msg', 'hi']]],
    'may be empty': ['{}', []],
    'may have white space around it': [' \t\r\n{ "msg" : "m" }\n', [['msg', 'm']]],
    'may begin with a byte order mark': ['\ufeff{"msg":"\ufeffm"}', [['msg', '\ufeffm']]],
    'may have anything else in it': [
      '{"a":1,"b":null,"msg":"m","c":[{"message":2}],"d":{"username":3},"e":true}',
      [['msg', 'm']],
    ],
    'may have half surrogate pairs in what else is in it': [
      '{"\\ud800":"\\udfff","msg":"m"}',
      [['msg', 'm']],
    ],
    'has the last of a repeated name': [
      '{"message":"1","message":"2","message":"3"}',
      [['message', '3']],
    ],
    'has the last of a repeated name even if those before are no strings': [
      '{"message":1,"message":"2"}',
      [['message', '2']],
    ],
    'has its escapes undone, in names too': [
      '{"mess\\u0061ge":"\\ud83e\\udd8a\\n\\u0000\\/"}',
      [['message', '\u{1f98a}\n\0/']],
    ],
    'may have empty texts': ['{"username":""}', [['username', '']]],
    'has names in one case only': ['{"Message":"1","USERNAME":2,"msg":"m"}', [['msg', 'm']]],
    'gets nothing from what objects inherit': ['{"__proto__":{"message":"m"}}', []],
  };
  for (const [what, [text, fields]] of Object.entries(objects)) {
    test(what, () => assert.deepEqual(parse(text), fields));
  }

  test('may be nested as deep as a body is long', () => {
    const depth = 32_000;
    const deep = `{"x":${'['.repeat(depth)}${']'.repeat(depth)},"msg":"m"}`;
    assert.deepEqual(parse(deep), [['msg', 'm']]);
    assertRefused('['.repeat(65_536), /not JSON/);
  });

  test('gives any 5,000 texts as they are', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        (username, message) => {
          assert.deepEqual(parse(JSON.stringify({ username, message })), [
            ['username', username],
            ['message', message],
          ]);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

suite('a body that is no such object', () => {
  for (const value of ['1', 'null', 'true', '["m"]', '[]', '{"m":"m"}', '1e400']) {
    for (const name of ['username', 'message', 'msg']) {
      test(`(its ${name} is ${value}) is refused, and the field is named`, () => {
        assertRefused(`{"${name}":${value}}`, new RegExp(`^${name} is not a string`));
      });
    }
  }

  test('(the last of a repeated name is no string) is refused', () => {
    assertRefused('{"message":"1","message":2}', /^message is not a string/);
  });

  for (const text of ['[]', '[{"msg":"m"}]', 'null', '"username=a&message=m"', '1', 'true']) {
    test(`(it is ${text}) is refused`, () => assertRefused(text, /is not an object/));
  }

  const broken = [
    ...['', ' ', '{', '{"msg":"m"', '{"msg":"m",}', "{'msg':'m'}", '{msg:"m"}', '{"msg":"m"}{}'],
    ...['username=a&message=m', '{"msg":"a\nb"}', '{"msg":"\\x41"}', '{"msg":"m"}\0', 'undefined'],
    ...['\ufeff', '\ufeff\ufeff{}', '{"msg":NaN}', '/**/{}'],
  ];
  for (const text of broken) {
    test(`(it is ${JSON.stringify(text)}) is not JSON`, () => assertRefused(text, /is not JSON/));
  }

  const bytes: Record<string, Buffer> = {
    'Latin-1': Buffer.from('{"msg":"caf\xe9"}', 'latin1'),
    'UTF-16 with its byte order mark': Buffer.from('\ufeff{"msg":"m"}', 'utf16le'),
    'a surrogate': Buffer.from('{"msg":"\xed\xa0\x80"}', 'latin1'),
    'an overlong quote': Buffer.from('{"msg":"\xc0\xa2}', 'latin1'),
    'Latin-1 in another name': Buffer.from('{"msg":"m","\xe9":1}', 'latin1'),
  };
  for (const [what, body] of Object.entries(bytes)) {
    test(`(it has ${what}) is not UTF-8`, () => assertRefused(body, /^the JSON is not UTF-8/));
  }

  test('of 20,000 kinds is refused, or has fields that are strings', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '"msg"',
      '"message":',
      '"m"',
      '1',
      'null',
    ];
    pieces.push('{"username":"a"', '\\ud800', '\ufeff', ' ', '\0');
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 9 }), (units) => {
        const text = units.join('');
        let object: unknown;
        try {
          object = JSON.parse(text.replace(/^\ufeff/, ''));
        } catch {}
        const isObject = typeof object === 'object' && object !== null && !Array.isArray(object);
        const values = isObject ? Object.entries(object as object) : [];
        const own = values.filter(([name]) => /^(username|message|msg)$/.test(name));
        if (isObject && own.every(([, value]) => typeof value === 'string')) {
          assert.deepEqual(parse(text), own);
        } else {
          assertRefused(text, /./);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});
