// The reader of Server-Sent Events with which other suites test the service.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import { waitUntil } from '../../support/server.ts';
import { EventParser, followRoom, type LiveEvent, openLive } from '../../support/sse.ts';

/** Parses a text that arrives in pieces of so many bytes. */
function parse(text: string, pieceBytes = 1_000_000): { events: LiveEvent[]; parser: EventParser } {
  const events: LiveEvent[] = [];
  const parser = new EventParser((event) => events.push(event));
  const bytes = Buffer.from(text);
  for (let n = 0; n < bytes.length; n += pieceBytes) parser.push(bytes.subarray(n, n + pieceBytes));
  return { events, parser };
}

const sample =
  ': a comment\nretry: 700\nevent: server\nid: ab-0\ndata: brave-otter\n\n' +
  'id: ab-9\r\ndata: שלום\r\ndata:  two lines\r\n\r\n' +
  'event: nothing\n\nid: ab-20\rdata\r\rdata: unfinished\n';

suite('an event stream is read as a browser reads it', () => {
  for (const pieceBytes of [1, 2, 3, 7, 1000]) {
    test(`in pieces of ${pieceBytes} bytes`, () => {
      const { events, parser } = parse(sample, pieceBytes);
      const shown = events.map(({ type, data, lastEventId, hasId }) => [
        type,
        data,
        lastEventId,
        hasId,
      ]);
      assert.deepEqual(shown, [
        ['server', 'brave-otter', 'ab-0', true],
        ['message', 'שלום\n two lines', 'ab-9', true],
        ['message', '', 'ab-20', true],
      ]);
      assert.equal(parser.retryMs, 700);
    });
  }

  test('an event without an id keeps the last one', () => {
    const { events } = parse('id: 5\ndata: a\n\ndata: b\n\n');
    assert.deepEqual(
      events.map(({ lastEventId, hasId }) => [lastEventId, hasId]),
      [
        ['5', true],
        ['5', false],
      ],
    );
  });
});

/** Runs a service that answers every request in this way, while `body` runs. */
async function withService(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  body: (target: { port: number }) => Promise<void>,
): Promise<void> {
  const service = createServer(answer);
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  try {
    await body({ port: (service.address() as AddressInfo).port });
  } finally {
    service.close();
    service.closeAllConnections();
  }
}

suite('a reader', () => {
  test('resumes where the last stream ended, and tells a cut from an end', async () => {
    const asked: (string | undefined)[] = [];
    await withService(
      (request, response) => {
        const from = request.headers['last-event-id'] as string | undefined;
        asked.push(from);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`retry: 10\nid: ${asked.length}\ndata: line ${asked.length}\n\n`);
        if (asked.length === 2) setTimeout(() => response.destroy(), 50);
        else if (asked.length < 4) response.end();
      },
      async (target) => {
        const reader = followRoom(target, 'any');
        await reader.waitForText('line 1\nline 2\nline 3\nline 4\n');
        await reader.stop();
        assert.deepEqual(asked, [undefined, '1', '2', '3']);
        assert.deepEqual(reader.failures, ['a stream was cut in its middle']);
        assert.equal(reader.openedCount, 4);
      },
    );
  });

  test('drops its lines at a reset, and counts it', async () => {
    await withService(
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: old\n\nevent: reset\ndata: 1\n\ndata: new\n\n');
      },
      async (target) => {
        const reader = followRoom(target, 'any');
        await reader.waitForText('new\n');
        assert.equal(reader.resetCount, 1);
        await reader.stop();
      },
    );
  });

  test('records every response that was not 200', async () => {
    let count = 0;
    await withService(
      (_, response) => {
        count += 1;
        response.writeHead(503).end('not now\n');
      },
      async (target) => {
        const reader = followRoom(target, 'any');
        await waitUntil('asked twice', () => count >= 2);
        await reader.stop();
        assert.equal(reader.failures[0], 'a stream was answered 503');
      },
    );
  });

  test('fails if the stream ends before the event that it waits for', async () => {
    await withService(
      (_, response) => void response.writeHead(200).end('data: only this\n\n'),
      async (target) => {
        const stream = await openLive(target, 'any');
        assert.equal((await stream.waitFor('it', () => true)).data, 'only this');
        assert.equal(await stream.ended, 'ended');
        await assert.rejects(
          stream.waitFor('more', ({ data }) => data === 'more'),
          /ended without more/,
        );
      },
    );
  });
});
