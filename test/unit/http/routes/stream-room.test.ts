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
import { toEpoch } from '../../../../lib/room/cursor.ts';
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
const epoch = toEpoch(Buffer.from(text));

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

suite('a stream starts', () => {
  const starts: Record<string, [target: string, fields: string, first: string, isReset: boolean]> =
    {
      'at the beginning unless told': ['/', '', `${epoch}-0`, false],
      'at since': [`/?since=${epoch}-4`, '', `${epoch}-4`, false],
      'at a bare offset': ['/?since=8', '', `${epoch}-8`, false],
      'at the end with now': ['/?since=now', '', `${epoch}-14`, false],
      'at Last-Event-ID before since': [
        '/?since=4',
        `Last-Event-ID: ${epoch}-8\r\n`,
        `${epoch}-8`,
        false,
      ],
      'at lastEventId, as polyfills send it, before since': [
        `/?since=4&lastEventId=${epoch}-8`,
        '',
        `${epoch}-8`,
        false,
      ],
      'at Last-Event-ID before lastEventId': [
        '/?lastEventId=8',
        `Last-Event-ID: ${epoch}-4\r\n`,
        `${epoch}-4`,
        false,
      ],
      'at since where lastEventId is empty': ['/?lastEventId=&since=4', '', `${epoch}-4`, false],
      'at since where Last-Event-ID is empty': [
        '/?since=4',
        'Last-Event-ID: \r\n',
        `${epoch}-4`,
        false,
      ],
      'at the beginning where since is empty': ['/?since=', '', `${epoch}-0`, false],
      'at the very end': ['/?since=14', '', `${epoch}-14`, false],
      'anew past the end': ['/?since=15', '', `${epoch}-0`, true],
      'anew in the middle of a line': ['/?since=5', '', `${epoch}-0`, true],
      'anew in another epoch': ['/?since=01234567-4', '', `${epoch}-0`, true],
      'at 0 in any epoch': ['/?since=01234567-0', '', `${epoch}-0`, false],
    };
  for (const [what, [target, fields, first, isReset]] of Object.entries(starts)) {
    test(what, async (t) => {
      const { open, file } = await serve(t);
      const wire = await open(target, fields);
      await wire.waitFor(/event: server\nid: \S+\ndata: brave-otter \(host\)\n\n/);
      fs.appendFileSync(file, 'four\n');
      const seen = await wire.waitFor(/data: four\n\n/);
      assert.equal(/event: server\nid: (\S+)\n/.exec(seen)?.[1], first);
      assert.equal(/event: reset\ndata: \S+\n\n/.test(seen), isReset);
      const ids = [...seen.matchAll(/\nid: (\S+)\ndata: (?!brave)/g)].map((match) => match[1]);
      const from = Number(first.split('-')[1]);
      assert.deepEqual(
        ids,
        [4, 8, 14, 19].filter((end) => end > from).map((end) => `${epoch}-${end}`),
      );
    });
  }

  test('nowhere with a malformed cursor: 400 and no stream; for text a stale one is 410', async (t) => {
    const { open } = await serve(t);
    for (const target of ['/?since=x', '/?since=01', '/follow?since=-1', '/follow?since=1%0A']) {
      await (await open(target)).waitFor(/^HTTP\/1\.1 400 /);
    }
    await (await open('/', 'Last-Event-ID: x\r\n')).waitFor(/^HTTP\/1\.1 400 /);
    for (const since of ['15', '5', '01234567-4']) {
      await (await open(`/follow?since=${since}`)).waitFor(/^HTTP\/1\.1 410 /);
    }
  });
});

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
