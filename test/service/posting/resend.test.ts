// Chromium sends a POST again when its connection dies before a byte of the answer came.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Server, startServer } from '../../support/server.ts';

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36';

describe('a browser that would send a lost POST again', () => {
  let server: Server;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  it('is told that its message is being processed before the message is stored', async () => {
    const statuses = await post(server, `User-Agent: ${BROWSER}\r\n`);
    assert.deepEqual(statuses, [102, 201]);
  });

  it('is told nothing before a refusal, which stores nothing', async () => {
    const statuses = await post(server, `User-Agent: ${BROWSER}\r\n`, 'username=omri');
    assert.deepEqual(statuses, [400]);
  });

  it('is not told through a proxy, nor is any other client', async () => {
    const forwarded = `User-Agent: ${BROWSER}\r\nX-Forwarded-For: 10.0.0.9\r\n`;
    assert.deepEqual(await post(server, forwarded), [201]);
    assert.deepEqual(await post(server, 'User-Agent: curl/8.0\r\n'), [201]);
    assert.deepEqual(await post(server, ''), [201]);
  });
});

/** Posts on a connection of its own and gives the status of every answer on it. */
async function post(
  server: Server,
  fields: string,
  body = 'username=omri&message=hi',
): Promise<number[]> {
  const socket = net.connect(server.port, '127.0.0.1');
  socket.write(
    `POST /chat/resend HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}` +
      'Content-Type: application/x-www-form-urlencoded\r\n' +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  let text = '';
  for await (const chunk of socket) text += chunk;
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]));
}
