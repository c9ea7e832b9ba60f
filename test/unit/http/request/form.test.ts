// A request's form: the same fields however its body comes, within its limits (contract §4).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { ServiceError } from '../../../../lib/errors.ts';
import { readForm } from '../../../../lib/http/request/form.ts';
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

function makeHead(length: number | undefined, path = '/'): string {
  const framing = length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`;
  const type = 'Content-Type: application/x-www-form-urlencoded';
  return `POST ${path} HTTP/1.1\r\nHost: a\r\n${type}\r\n${framing}\r\n\r\n`;
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
});

suite('a body', () => {
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
    (await deliver(`${makeHead(20, '/gone')}username=a`)).close();
    await waitUntil('refused', () => outcomes.length > count);
    assert.equal(outcomes.at(-1), 'bad-request');
  });
});
