// Streams on real connections: where they start, and what becomes of their sockets (contract §6).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import type { ServiceError } from '../../../../lib/errors.ts';
import { Listener } from '../../../../lib/http/listener.ts';
import { IDLE_MS, Reply } from '../../../../lib/http/response/reply.ts';
import type { AppParts } from '../../../../lib/http/route.ts';
import { followRoom, streamRoom } from '../../../../lib/http/routes/stream-room.ts';
import { Hub } from '../../../../lib/live/hub.ts';
import { Log } from '../../../../lib/ops/log.ts';
import { Registry } from '../../../../lib/ops/metrics.ts';
import { FolderStore } from '../../../../lib/store/folder/folder-store.ts';
import { openWire, type Wire } from '../../../support/http.ts';
import { makeTempFolder } from '../../../support/paths.ts';
import { waitUntil } from '../../../support/server.ts';

interface Streams {
  file: string;
  live: Hub;
  /** The server's side of the latest connection. */
  socket(): Socket;
  open(target: string, fields?: string): Promise<Wire>;
}

const text = 'one\ntwo\nthree\n';

/** Serves the room `r` as events, or as text that goes on at /follow. */
async function serve(t: TestContext): Promise<Streams> {
  const folder = makeTempFolder('stream');
  const log = new Log('error', (line) => assert.fail(line));
  const store = new FolderStore({ folder, durable: false, log, registry: new Registry() });
  const live = new Hub(store, log);
  const reply = new Reply('brave-otter (host)', () => false);
  const parts = { store, live, reply } as unknown as AppParts;
  let latest: Socket | undefined;
  const listener = new Listener({
    common: reply.common,
    handler: async (request, response) => {
      latest = request.socket;
      const [path, query = ''] = (request.url ?? '').split('?');
      const stream = path === '/follow' ? followRoom : streamRoom;
      try {
        await stream(parts, { route: 'room', argument: 'r', query }, response, store);
      } catch (error) {
        reply.error(response, error as ServiceError);
      }
    },
  });
  const port = await listener.listen(0, '127.0.0.1');
  t.after(() => {
    live.close();
    return listener.drain(0);
  });
  const file = join(folder, 'r.txt');
  fs.writeFileSync(file, text);
  const open = async (target: string, fields = '') => {
    const wire = await openWire({ port });
    t.after(() => wire.close());
    wire.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    return wire;
  };
  return { file, live, socket: () => latest!, open };
}

suite('the socket of a stream', () => {
  test('has no limit of idle time, as nothing may be said for hours, and asks for its peer', async (t) => {
    const { open, socket } = await serve(t);
    for (const target of ['/', '/follow']) {
      await (await open(target)).waitFor(/three/);
      assert.equal(socket().timeout, 0, target);
    }
  });

  test('goes on as an idle one when its stream has ended, and carries the next answer', async (t) => {
    const { open, socket, file, live } = await serve(t);
    const wire = await open('/follow');
    await wire.waitFor(/three/);
    fs.writeFileSync(file, 'begun anew\n');
    live.notify('r');
    const ended = await wire.waitFor(/\r\n0\r\n\r\n$/);
    assert.doesNotMatch(ended, /begun anew/, 'nothing after the end');
    await waitUntil('left', () => live.subscriberCount === 0);
    assert.equal(socket().timeout, IDLE_MS);
    wire.send('GET /follow HTTP/1.1\r\nHost: a\r\n\r\n');
    await wire.waitFor(/HTTP\/1\.1 200 .*HTTP\/1\.1 200 .*begun anew\n/s);
  });

  test('that is cut leaves no reader behind', async (t) => {
    const { open, live } = await serve(t);
    const wires = [await open('/'), await open('/follow')];
    for (const wire of wires) await wire.waitFor(/three/);
    assert.equal(live.subscriberCount, 2);
    for (const wire of wires) wire.close();
    await waitUntil('gone', () => live.subscriberCount === 0);
  });
});
