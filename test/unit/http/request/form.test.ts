// A request's form: the same fields however its body comes, within its limits (contract §4).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { ServiceError } from '../../../../lib/errors.ts';
import { MAX_BODY_BYTES, readForm } from '../../../../lib/http/request/form.ts';
import { openWire, type Wire } from '../../../support/http.ts';
import { waitUntil } from '../../../support/server.ts';

let port = 0;
const outcomes: string[] = [];
const server = createServer((request, response) => {
  // As the service does it: at the end of the tick; or once the client has gone away.
  const isReady = () => request.url !== '/gone' || request.closed;
  waitUntil('ready', isReady, 5000)
    .then(() => readForm(response))
    .then((form) => JSON.stringify(form))
    .catch((error) => (error instanceof ServiceError ? error.code : `bug: ${error}`))
    .then((outcome) => {
      outcomes.push(outcome);
      response.setHeader('Connection', 'close');
      response.end(`<${outcome}>`);
    });
});

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server.close();
  server.closeAllConnections();
});

/** Sends pieces, each a packet of its own, and waits until the server has read them. */
async function deliver(...pieces: string[]): Promise<Wire> {
  const connected = once(server, 'connection');
  const wire = await openWire({ port });
  const [socket] = (await connected) as [Socket];
  let sentBytes = 0;
  for (const piece of pieces) {
    wire.send(piece);
    sentBytes += Buffer.byteLength(piece);
    while (socket.bytesRead < sentBytes && !socket.destroyed) await tick();
  }
  return wire;
}

/** Sends a request in pieces and returns what became of its form. */
async function send(...pieces: string[]): Promise<string> {
  const wire = await deliver(...pieces);
  const text = await wire.waitFor(/<.*>/s);
  wire.close();
  return /<(.*)>/s.exec(text)?.[1] ?? '';
}

const urlencoded = 'application/x-www-form-urlencoded';

function makeHead(
  length: number | undefined,
  type: string | undefined = urlencoded,
  more = '',
  path = '/',
): string {
  const typeField = type === '' ? '' : `Content-Type: ${type}\r\n`;
  const lengthField =
    length === undefined ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${length}\r\n`;
  return `POST ${path} HTTP/1.1\r\nHost: a\r\n${typeField}${lengthField}${more}\r\n`;
}

suite('a form', () => {
  const body = 'username=omri&msg=hi+%D7%A9';
  const form = '{"username":"omri","message":"hi \u05e9"}';
  const toChunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

  test('is the same in one packet, in two, byte by byte and in chunks', async () => {
    const latin1 = Buffer.from(form).toString('latin1');
    const head = makeHead(body.length);
    assert.equal(await send(head + body), latin1);
    assert.equal(await send(head, body), latin1);
    assert.equal(await send(head + body.slice(0, 5), body.slice(5)), latin1);
    assert.equal(await send(head, ...body), latin1);
    const chunked = makeHead(undefined);
    assert.equal(await send(`${chunked}${toChunk(body)}0\r\n\r\n`), latin1);
    assert.equal(await send(chunked, ...[...body].map(toChunk), '0\r\n\r\n'), latin1);
  });

  test('has message before msg, the first of a repeated field, and no unknown one', async () => {
    const cases: Record<string, string> = {
      'msg=b&message=a&username=x': '{"username":"x","message":"a"}',
      'message=&msg=b&username=x': '{"username":"x","message":""}',
      'username=x&username=y&message=1&message=2': '{"username":"x","message":"1"}',
      'Username=x&other=1&message=m': '{"message":"m"}',
      '': '{}',
    };
    for (const [sent, outcome] of Object.entries(cases)) {
      assert.equal(await send(makeHead(sent.length) + sent), outcome, sent);
    }
  });

  test('of an empty body, declared or not, has no field', async () => {
    assert.equal(await send(makeHead(0)), '{}');
    assert.equal(await send(`${makeHead(undefined)}0\r\n\r\n`), '{}');
    assert.equal(
      await send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ${urlencoded}\r\n\r\n`),
      '{}',
    );
  });
});

suite('a content type', () => {
  const taken = [
    urlencoded,
    urlencoded.toUpperCase(),
    `${urlencoded}; charset=UTF-8`,
    `${urlencoded};charset="utf-8"`,
    `${urlencoded}; CHARSET=utf8`,
    ` ${urlencoded} ;x="a;b"`,
  ];
  for (const type of taken) {
    test(`${type} is taken`, async () => {
      assert.equal(await send(`${makeHead(9, type)}message=m`), '{"message":"m"}');
    });
  }

  for (const type of ['application/json', 'Application/JSON; charset=utf-8']) {
    test(`${type} is taken`, async () => {
      const body = '{"msg":"\\u05e9","username":"a"}';
      const form = await send(makeHead(body.length, type) + body);
      assert.equal(Buffer.from(form, 'latin1').toString(), '{"username":"a","message":"\u05e9"}');
    });
  }

  const refused = [
    ...['', 'text/plain', 'text/json', 'application/problem+json'],
    ...[`${urlencoded}; charset=iso-8859-1`, `${urlencoded}; charset="utf-16"`],
    ...[`${urlencoded}; Charset=us-ascii`, `${urlencoded}; charset=`],
    ...[`${urlencoded}; charset=""`, 'application/json; charset=latin1'],
    ...['multipart/form-data; boundary=b; charset=windows-1252', `${urlencoded}x`],
    ...[`x${urlencoded}`, 'multipart/mixed; boundary=b', `${urlencoded}, text/plain`],
  ];
  for (const type of refused) {
    test(`${type || 'none'} is not, before its body is there`, async () => {
      assert.equal(await send(makeHead(9, type)), 'media-type');
    });
  }

  test('of a compressed form is not', async () => {
    for (const coding of ['gzip', 'br', 'identity, gzip']) {
      const head = makeHead(9, urlencoded, `Content-Encoding: ${coding}\r\n`);
      assert.equal(await send(`${head}message=m`), 'media-type', coding);
    }
    const head = makeHead(9, urlencoded, 'Content-Encoding: Identity\r\n');
    assert.equal(await send(`${head}message=m`), '{"message":"m"}');
  });

  test('of a body that is not UTF-8 is that of a bad request', async () => {
    const bodies: Record<string, string> = {
      [urlencoded]: 'message=\xe9',
      'application/json': '{"message":"\xe9"}',
      'multipart/form-data; boundary=b':
        '--b\r\nContent-Disposition: form-data; name="message"\r\n\r\n\xe9\r\n--b--',
    };
    for (const [type, body] of Object.entries(bodies)) {
      const bytes = Buffer.from(body, 'latin1');
      const wire = await openWire({ port });
      wire.send(makeHead(bytes.length, type));
      wire.send(bytes);
      assert.match(await wire.waitForEnd(), /<bad-request>/, type);
    }
  });

  test('of multipart needs a boundary', async () => {
    assert.equal(await send(`${makeHead(5, 'multipart/form-data; boundary=b')}--b--`), '{}');
    assert.equal(await send(`${makeHead(5, 'multipart/form-data')}--b--`), 'bad-request');
  });
});

suite('a body', () => {
  const fill = (length: number) => `message=${'m'.repeat(length - 8)}`;

  test('may have 64 KiB, in one piece and in chunks', async () => {
    const body = fill(MAX_BODY_BYTES);
    assert.match(await send(makeHead(body.length) + body), /^\{"message":"m+"\}$/);
    const chunked = `${makeHead(undefined)}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    assert.match(await send(chunked), /^\{"message":"m+"\}$/);
  });

  test('of a byte more is too large, without a byte of it, and in chunks', async () => {
    assert.equal(await send(makeHead(MAX_BODY_BYTES + 1)), 'too-large');
    const body = fill(MAX_BODY_BYTES + 1);
    const size = body.length.toString(16);
    assert.equal(await send(`${makeHead(undefined)}${size}\r\n${body}`), 'too-large');
  });

  test('that breaks off is no form', async () => {
    const count = outcomes.length;
    for (const sent of [
      makeHead(20),
      `${makeHead(20)}username=a`,
      `${makeHead(undefined)}5\r\nuser`,
    ]) {
      (await deliver(sent)).close();
    }
    await waitUntil('all refused', () => outcomes.length >= count + 3);
    assert.deepEqual(outcomes.slice(count), ['bad-request', 'bad-request', 'bad-request']);
  });

  test('that broke off before anybody read it is no form either', async () => {
    const count = outcomes.length;
    (await deliver(`${makeHead(20, urlencoded, '', '/gone')}username=a`)).close();
    await waitUntil('refused', () => outcomes.length > count);
    assert.equal(outcomes.at(-1), 'bad-request');
  });
});
