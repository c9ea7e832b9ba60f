// multipart/form-data (contract §4), as browsers, fetch and curl make it, and as nobody should.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../../lib/errors.ts';
import { parseMultipart } from '../../../../lib/http/request/multipart.ts';
import { parseMediaType } from '../../../../lib/http/request/negotiate.ts';

async function encode(form: FormData): Promise<[body: Buffer, boundary: string | undefined]> {
  const response = new Response(form);
  const type = parseMediaType(response.headers.get('content-type') ?? '');
  assert.equal(type?.type, 'multipart/form-data');
  return [Buffer.from(await response.arrayBuffer()), type.parameters.get('boundary')];
}

function parse(body: string, boundary = 'b'): [string, string][] {
  return parseMultipart(Buffer.from(body), boundary);
}

const head = 'Content-Disposition: form-data; name="username"\r\n\r\n';

suite('a form as fetch encodes it', () => {
  test('comes back field by field, of any 5,000 texts', async () => {
    // FormData itself makes CR LF of every line break (HTML Standard §4.10.21.4), so none is sent.
    const unit = fc.oneof(
      fc.constantFrom('-', '--', ':', '"', '=', ';', ' ', '\t', '\0', 'a', '\u05e9', '\u{1f98a}'),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    );
    const texts = fc.string({ unit, maxLength: 30 }).map((text) => text.replace(/[\r\n]/g, '.'));
    await fc.assert(
      fc.asyncProperty(texts, texts, async (username, message) => {
        const form = new FormData();
        form.append('username', username);
        form.append('message', message);
        form.append('username', 'again');
        assert.deepEqual(parseMultipart(...(await encode(form))), [
          ['username', username],
          ['message', message],
          ['username', 'again'],
        ]);
      }),
      { numRuns: 5000 },
    );
  });

  test('may have line breaks in it, at its ends too', async () => {
    const form = new FormData();
    form.append('message', '\r\n\r\na\r\nb\r\n\r\n');
    assert.deepEqual(parseMultipart(...(await encode(form))), [
      ['message', '\r\n\r\na\r\nb\r\n\r\n'],
    ]);
  });

  test('may have a file whose name is full of quotes, beside its fields', async () => {
    const form = new FormData();
    form.append('file', new File(['content'], 'a "quoted"; name=message\r\n.txt'));
    form.append('message', 'm');
    const fields = parseMultipart(...(await encode(form)));
    assert.deepEqual(fields, [['message', 'm']]);
  });

  test('may have any bytes and any charset in a file that is not of the message', async () => {
    const form = new FormData();
    const type = 'text/plain; charset=iso-8859-1';
    form.append(
      'photo',
      new File([Uint8Array.of(0xff, 0xd8, 0x00, 0xe9)], 'caf\u00e9.jpg', { type }),
    );
    form.append('message', 'm');
    assert.deepEqual(parseMultipart(...(await encode(form))), [['message', 'm']]);
  });

  test('may send the message as a file', async () => {
    const form = new FormData();
    form.append('message', new File(['\u05e9'], 'message.txt', { type: 'text/plain' }));
    assert.deepEqual(parseMultipart(...(await encode(form))), [['message', '\u05e9']]);
  });

  test('may be empty', async () => {
    assert.deepEqual(parseMultipart(...(await encode(new FormData()))), []);
  });

  test('may look like its own boundary all over', async () => {
    const boundary = 'b';
    const message = '--b\r--b--\n--b \n\r\n--bc\r\n-b\r\n--b-';
    const body = `--b\r\nContent-Disposition: form-data; name="m"\r\n\r\n${message}\r\n--b--\r\n`;
    assert.deepEqual(parse(body, boundary), [['m', message]]);
  });
});

suite('a form in another shape', () => {
  const shapes: Record<string, [string, [string, string][]]> = {
    'without the last line break': [`--b\r\n${head}a\r\n--b--`, [['username', 'a']]],
    'with a preamble and an epilogue': [
      `hello\r\n--b\r\n${head}a\r\n--b--\r\nbye\r\n--b\r\n`,
      [['username', 'a']],
    ],
    'with blanks after its boundaries': [`--b \t\r\n${head}a\r\n--b--  \r\n`, [['username', 'a']]],
    'with an empty value': [`--b\r\n${head}\r\n--b--\r\n`, [['username', '']]],
    'with a name that is a token': [
      '--b\r\ncontent-disposition:form-data;name=message\r\n\r\nm\r\n--b--',
      [['message', 'm']],
    ],
    'with more header fields': [
      '--b\r\nContent-Type: text/plain; charset=utf-8\r\nCONTENT-DISPOSITION: Form-Data; Name="message"\r\nX: y\r\n\r\nm\r\n--b--',
      [['message', 'm']],
    ],
    'with an escaped name': [
      '--b\r\nContent-Disposition: form-data; name="a\\"b"\r\n\r\nm\r\n--b--',
      [['a"b', 'm']],
    ],
    'with a name beyond ASCII': [
      '--b\r\nContent-Disposition: form-data; name="\u05e9\u{1f98a}"\r\n\r\nm\r\n--b--',
      [['\u05e9\u{1f98a}', 'm']],
    ],
    'with a file name of RFC 5987': [
      '--b\r\nContent-Disposition: form-data; filename*=UTF-8\'\'%e2%82%ac; name="msg"\r\n\r\nm\r\n--b--',
      [['msg', 'm']],
    ],
    'with a part that has no header': [
      `--b\r\n\r\nlost\r\n--b\r\n${head}a\r\n--b--`,
      [['username', 'a']],
    ],
    'with a part of another disposition': [
      `--b\r\nContent-Disposition: attachment; name="message"\r\n\r\nm\r\n--b\r\n${head}a\r\n--b--`,
      [['username', 'a']],
    ],
    'with bytes that are not UTF-8': [`--b\r\n${head}\ufffd\r\n--b--`, [['username', '\ufffd']]],
    'without any part': ['--b--', []],
  };
  for (const [what, [body, fields]] of Object.entries(shapes)) {
    test(`(${what}) is read`, () => assert.deepEqual(parse(body), fields));
  }
});

suite('a form whose text is not UTF-8', () => {
  const cases: Record<string, [part: string, words: RegExp]> = {
    'in a username': ['name="username"\r\n\r\ncaf\xe9', /^username is not UTF-8; /],
    'in a message': ['name="message"\r\n\r\n\xff\xfeh\0i\0', /^message is not UTF-8; /],
    'in an overlong character': ['name="message"\r\n\r\n\xc0\xaf', /^message is not UTF-8; /],
    'in a sequence that the boundary cuts': [
      'name="message"\r\n\r\na\xf0\x9f\xa6',
      /^message is not UTF-8; /,
    ],
    'in a surrogate': ['name="msg"\r\n\r\n\xed\xa0\x80', /^msg is not UTF-8; /],
    'in another field': ['name="other"\r\n\r\n\xe9', /^a field is not UTF-8; /],
    'in the name of a field': ['name="caf\xe9"\r\n\r\nm', /^the name of a field is not UTF-8; /],
    'in a file that is the message': [
      'name="message"; filename="a"\r\nContent-Type: application/octet-stream\r\n\r\n\xe9',
      /^message is not UTF-8; /,
    ],
  };
  for (const [what, [part, words]] of Object.entries(cases)) {
    test(`(${what}) is a bad request`, () => {
      const body = `--b\r\nContent-Disposition: form-data; ${part}\r\n--b--`;
      assert.throws(
        () => parseMultipart(Buffer.from(body, 'latin1'), 'b'),
        (error) => {
          assert.ok(error instanceof ServiceError);
          assert.equal(error.code, 'bad-request');
          assert.match(error.message, words);
          return true;
        },
      );
    });
  }

  test('(a part has another charset) is of a media type that is not taken', () => {
    const others = ['iso-8859-1', 'US-ASCII', '"utf-16"', 'utf-8x', '""'];
    for (const charset of others) {
      const field = `Content-Type: text/plain; charset=${charset}`;
      for (const fields of [`${field}\r\n${head}`, `${head.trimEnd()}\r\n${field}\r\n\r\n`]) {
        assert.throws(
          () => parse(`--b\r\n${fields}a\r\n--b--`),
          (error) => error instanceof ServiceError && error.code === 'media-type',
          charset,
        );
      }
    }
  });

  for (const charset of ['utf-8', 'UTF-8', '"Utf-8"', 'utf8']) {
    test(`(it is, and a part has the charset ${charset}) is read`, () => {
      const body = `--b\r\nContent-Type: text/plain;charset=${charset}\r\n${head}\u05e9\r\n--b--`;
      assert.deepEqual(parse(body), [['username', '\u05e9']]);
    });
  }

  test('(only a file name is not) is read', () => {
    const part = 'name="message"; filename="caf\xe9.txt"\r\n\r\nm';
    const body = `--b\r\nContent-Disposition: form-data; ${part}\r\n--b--`;
    assert.deepEqual(parseMultipart(Buffer.from(body, 'latin1'), 'b'), [['message', 'm']]);
  });
});

suite('a malformed form', () => {
  const bodies: Record<string, string> = {
    'an empty one': '',
    'one without boundaries': 'username=a',
    'one that never closes': `--b\r\n${head}a\r\n`,
    'one cut before its closing hyphens': `--b\r\n${head}a\r\n--b`,
    'one of another boundary': `--c\r\n${head}a\r\n--c--`,
    'one with LFs alone': `--b\n${head.replaceAll('\r', '')}a\n--b--`,
    'one whose part has no empty line':
      '--b\r\nContent-Disposition: form-data; name="username"\r\n--b--',
    'one whose part is nothing': '--b\r\n--b--',
  };
  for (const [what, body] of Object.entries(bodies)) {
    test(`(${what}) is a bad request, told in one line`, () => {
      assert.throws(
        () => parse(body),
        (error) => {
          assert.ok(error instanceof ServiceError);
          assert.equal(error.code, 'bad-request');
          assert.match(error.message, /^[\x20-\x7e]+$/);
          return true;
        },
      );
    });
  }

  for (const boundary of [undefined, '', 'a'.repeat(71), 'a\nb', '\u05e9']) {
    test(`(its boundary is ${JSON.stringify(boundary)?.slice(0, 20)}) is a bad request`, () => {
      assert.throws(() => parseMultipart(Buffer.from('--b--'), boundary), ServiceError);
    });
  }

  test('of 20,000 kinds is a bad request or fields, and nothing else', () => {
    const pieces = ['--b', '--', '\r\n', head, 'a', ' ', '"', ';'];
    pieces.push(`--b\r\n${head}`, `\r\n--b\r\n${head}`, '\r\n--b', '\r\n--b--');
    const units = fc.array(fc.constantFrom(...pieces), { maxLength: 8 });
    let readCount = 0;
    fc.assert(
      fc.property(units, (parts) => {
        try {
          for (const [name, value] of parse(parts.join(''))) {
            assert.equal(name, 'username');
            assert.ok(!/\r\n--b(--|[ \t]*\r\n)/.test(value), 'no value has a boundary in it');
            readCount += 1;
          }
        } catch (error) {
          assert.ok(error instanceof ServiceError, String(error));
        }
      }),
      { numRuns: 20_000 },
    );
    assert.ok(readCount > 50, `only ${readCount} fields`);
  });
});
