// A live reader's frames on a real socket, whoever writes them: the system at once, or the stream.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http, { type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { SocketSink } from '../../../../lib/http/response/socket-sink.ts';
import { need } from '../../../support/need.ts';
import { makeTempFolder } from '../../../support/paths.ts';
import { waitUntil } from '../../../support/server.ts';

/** A server's side of one answered request, and the client that reads it. */
async function open(t: TestContext): Promise<{ sink: SocketSink; socket: Socket; client: Socket }> {
  let answered: (response: ServerResponse) => void;
  const response = new Promise<ServerResponse>((resolve) => {
    answered = resolve;
  });
  const server = http.createServer((_, to) => {
    to.writeHead(200, { 'Transfer-Encoding': 'chunked' });
    to.flushHeaders();
    answered(to);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = net.connect(port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  const to = await response;
  t.after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { sink: new SocketSink(to.socket!, to), socket: to.socket!, client };
}

/** Reads what comes after the head, as long as it comes. */
function collect(client: Socket): () => Buffer {
  const chunks: Buffer[] = [];
  client.on('data', (chunk) => chunks.push(chunk));
  return () => {
    const all = Buffer.concat(chunks);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  };
}

/** Frames of many lengths, all different. */
function makeFrames(count: number): Buffer[] {
  return Array.from({ length: count }, (_, n) => Buffer.alloc(1 + ((n * 7919) % 90_000), `${n} `));
}

const ways: Record<string, (socket: Socket) => void> = {
  'by its descriptor': () => undefined,
  'through its stream, where there is no descriptor': (socket) => {
    const { _handle: handle } = socket as unknown as { _handle: object };
    Object.defineProperty(handle, 'fd', { value: -1 });
  },
};
for (const [way, prepare] of Object.entries(ways)) {
  suite(`a socket that is written to ${way}`, () => {
    test('gives every frame whole and in order, to a reader that stands still now and then', async (t) => {
      const { socket, client } = await open(t);
      prepare(socket);
      const sink = new SocketSink(socket, { end: () => undefined } as unknown as ServerResponse);
      const read = collect(client);
      const frames = makeFrames(400);
      let timesFull = 0;
      for (const [n, frame] of frames.entries()) {
        if (n % 40 === 0) client.pause();
        if (sink.write(frame)) continue;
        timesFull += 1;
        // Nothing may overtake what waits.
        sink.write(Buffer.from('|'));
        frames[n] = Buffer.concat([frame, Buffer.from('|')]);
        const drained = new Promise<void>((resolve) => {
          sink.drained = resolve;
        });
        client.resume();
        await drained;
      }
      client.resume();
      const expected = Buffer.concat(frames);
      await waitUntil('all of it', () => read().length >= expected.length);
      assert.ok(read().equals(expected));
      assert.ok(timesFull > 0, 'it was full at least once');
    });

    test('is full from the first byte that waits, and says when none does any more', async (t) => {
      const { socket, client } = await open(t);
      prepare(socket);
      const sink = new SocketSink(socket, { end: () => undefined } as unknown as ServerResponse);
      let timesDrained = 0;
      sink.drained = () => {
        timesDrained += 1;
      };
      client.pause();
      const frame = Buffer.alloc(1000);
      let frames = 1;
      while (sink.write(frame)) frames += 1;
      const waiting = socket.writableLength;
      assert.ok(waiting > 0 && waiting <= frame.length, `${waiting} bytes wait`);
      assert.equal(timesDrained, 0);
      const read = collect(client);
      client.resume();
      await waitUntil('drained', () => timesDrained === 1);
      assert.equal(socket.writableLength, 0);
      await waitUntil('all of it', () => read().length === frames * frame.length);
      assert.equal(sink.write(frame), true);
    });

    test('takes a frame for a reader that is gone, and fails nobody', async (t) => {
      const { socket, client } = await open(t);
      prepare(socket);
      const sink = new SocketSink(socket, { end: () => undefined } as unknown as ServerResponse);
      socket.on('error', () => undefined);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      client.resetAndDestroy();
      while (!socket.destroyed) {
        sink.write(Buffer.alloc(1000));
        await tick();
      }
      await closed;
      sink.write(Buffer.from('late'));
    });
  });
}

test('a descriptor that was given out again is never written to', {
  skip: need('linux'),
}, async (t) => {
  const { sink, socket } = await open(t);
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  sink.destroy();
  await closed;
  const file = join(makeTempFolder('descriptor'), 'of somebody else');
  const opened: number[] = [];
  // The system gives out the lowest free number.
  while (opened.at(-1) !== fd) {
    opened.push(fs.openSync(file, 'w'));
    assert.ok(opened.at(-1)! <= fd, 'the number is free');
  }
  sink.write(Buffer.from('for somebody else'));
  for (const one of opened) fs.closeSync(one);
  assert.equal(fs.readFileSync(file, 'utf8'), '');
});

test('a frame goes past the stream, but never past what waits in it', {
  skip: need('linux'),
}, async (t) => {
  const { sink, socket, client } = await open(t);
  const read = collect(client);
  const before = socket.bytesWritten;
  assert.equal(sink.write(Buffer.from('one ')), true);
  assert.equal(socket.bytesWritten, before, 'the stream knows nothing of it');
  socket.cork();
  socket.write('two ');
  sink.write(Buffer.from('three '));
  socket.uncork();
  await waitUntil('all of it', () => read().length >= 14);
  assert.equal(read().toString(), 'one two three ');
});
