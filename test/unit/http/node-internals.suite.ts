// What Node does not document, used and done without. node-internals.test.ts runs this on each Node.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http, { type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { suite, type TestContext, test } from 'node:test';
import {
  emitClose,
  findDescriptor,
  keepsConnection,
  stopAccepting,
} from '../../../lib/http/node-internals.ts';

interface Exchange {
  readonly server: http.Server;
  readonly client: Socket;
  readonly responses: ServerResponse[];
}

/** Sends requests on one connection; nobody answers them. */
async function exchange(t: TestContext, requests: string, count = 1): Promise<Exchange> {
  const responses: ServerResponse[] = [];
  const server = http.createServer();
  const arrived = new Promise<void>((resolve) => {
    server.on('request', (_, response) => {
      if (responses.push(response) === count) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write(requests);
  await arrived;
  t.after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { server, client, responses };
}

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

suite('the descriptor of a socket', () => {
  const skip = process.platform === 'win32';

  test('is a number that the system writes to', { skip }, async (t) => {
    const { client, responses } = await exchange(t, get);
    const fd = findDescriptor(responses[0]!.req.socket);
    assert.equal(fs.writeSync(fd, 'past the stream'), 15);
    const [bytes] = await once(client, 'data');
    assert.equal(String(bytes), 'past the stream');
  });

  test('is -1 once the socket is closed, or if Node does not show it', async (t) => {
    const { responses } = await exchange(t, get);
    const { socket } = responses[0]!.req;
    socket.destroy();
    assert.equal(findDescriptor(socket), -1);
    for (const handle of [undefined, null, {}]) {
      assert.equal(findDescriptor({ _handle: handle } as unknown as Socket), -1);
    }
  });
});

suite('whether a connection is kept', () => {
  const heads: Record<string, boolean> = {
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n': true,
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n': false,
    'GET / HTTP/1.0\r\n\r\n': false,
    'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n': true,
  };
  test('is what its request asked for', async (t) => {
    for (const [head, isKept] of Object.entries(heads)) {
      const { responses } = await exchange(t, head);
      assert.equal(keepsConnection(responses[0]!), isKept, head);
    }
  });

  test('is true if Node does not say, and Node closes the connection all the same', async (t) => {
    const { client, responses } = await exchange(t, Object.keys(heads)[1]!);
    assert.equal(keepsConnection({} as ServerResponse), true);
    responses[0]!.writeHead(200, ['Keep-Alive', 'timeout=75', 'Content-Length', '2']).end('ok');
    const text = (await client.setEncoding('latin1').toArray()).join('');
    assert.match(text, /\r\nConnection: close\r\n[\s\S]*ok$/);
  });
});

suite('a server that stops accepting', () => {
  test('refuses new connections and keeps an idle one', async (t) => {
    const { server, client, responses } = await exchange(t, get);
    responses[0]!.end('one');
    await once(client, 'data');
    const { port } = server.address() as AddressInfo;
    stopAccepting(server);
    const [error] = await once(net.connect(port, '127.0.0.1'), 'error');
    assert.equal(error.code, 'ECONNREFUSED');
    client.write(get);
    await once(server, 'request');
    responses[1]!.end('two');
    assert.match(String((await once(client, 'data'))[0]), /two/);
  });

  test('does so without the base class too', async (t) => {
    const { server } = await exchange(t, get);
    const { port } = server.address() as AddressInfo;
    stopAccepting(server, {});
    const [error] = await once(net.connect(port, '127.0.0.1'), 'error');
    assert.equal(error.code, 'ECONNREFUSED');
  });
});

test('each response of a closed connection hears of it once, whether its turn had come or not', async (t) => {
  const { client, responses } = await exchange(t, get.repeat(3), 3);
  const closed = [0, 0, 0];
  for (const [index, response] of responses.entries()) {
    response.once('close', () => {
      closed[index]! += 1;
    });
  }
  const { socket } = responses[0]!.req;
  client.destroy();
  await once(socket, 'close');
  emitClose(responses);
  emitClose(responses);
  assert.deepEqual(closed, [1, 1, 1]);
});
