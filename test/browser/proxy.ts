// A wire that can be bad on purpose: TCP between the browser and the service.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** The proxy; its switches take effect on the next bytes. */
export interface BadProxy {
  url: string;
  /**
   * POSTs reach the service, their answers don't come back: `cut` closes the connection before
   * the first byte, `gateway` answers as a proxy does whose service died, `body` gives the head of
   * the answer and then closes.
   */
  losesAnswers: 'cut' | 'gateway' | 'body' | false;
  /** POSTs are cut off before they reach the service. */
  losesPosts: boolean;
  /** POSTs wait here until {@link releasePosts}, even if their client does not. */
  holdsPosts: boolean;
  /** Sends the POSTs that wait to the service, on connections of their own. */
  releasePosts(): void;
  /** How many POSTs wait. */
  heldCount: number;
  /** How many POSTs have come. */
  postCount: number;
  /** Answers to requests for a stream of events never come through, as behind a buffering proxy. */
  swallowsStreams: boolean;
  /** Open streams stay open and nothing comes through any more: a dead connection. */
  freezesStreams: boolean;
  /**
   * Somebody else answers in the rooms' place, as after a session has ended: `html` a login page,
   * `redirect` the way to one, `text` a portal's plain text. A POST whose answer gets lost still
   * reaches the service.
   */
  portal: keyof typeof portals | false;
  /** How many bytes of answers come through in a second, over all connections together. */
  bytesPerSecond: number;
  /** Ends all connections. */
  cut(): void;
  /** How many bytes of streams didn't come through. */
  withheldBytes: number;
  /** How many requests for a stream have come. */
  streamCount: number;
  /** How many streams are open. */
  openStreams: number;
  close(): void;
}

/** How much a slow line takes at once. */
const SLICE_BYTES = 4096;

const login = '<!doctype html>\n<title>Sign in</title>\n<p>Who are you?\n';
const portals = {
  html: `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${login.length}\r\n\r\n${login}`,
  redirect: 'HTTP/1.1 302 Found\r\nLocation: /static/index.html\r\nContent-Length: 0\r\n\r\n',
  text: 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nwelcome\n',
};
const badGateway =
  'HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n502';

/** Listens on a free port of 127.0.0.1. */
export async function startProxy(targetPort: number): Promise<BadProxy> {
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  const server = createServer((client) => relay(client));
  const proxy: BadProxy = {
    url: '',
    losesAnswers: false,
    losesPosts: false,
    holdsPosts: false,
    releasePosts: () => {
      proxy.heldCount = 0;
      for (const deliver of held.splice(0)) deliver();
    },
    heldCount: 0,
    postCount: 0,
    swallowsStreams: false,
    freezesStreams: false,
    portal: false,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    withheldBytes: 0,
    streamCount: 0,
    openStreams: 0,
    close: () => {
      server.close();
      proxy.cut();
    },
  };

  let busyUntilMs = 0;
  /** Writes bytes as a slow line does, a little at a time, while other connections take turns. */
  async function writeSlowly(from: Socket, to: Socket, bytes: Buffer): Promise<void> {
    from.pause();
    for (let begin = 0; begin < bytes.length && !to.destroyed; begin += SLICE_BYTES) {
      const slice = bytes.subarray(begin, begin + SLICE_BYTES);
      busyUntilMs = Math.max(busyUntilMs, performance.now());
      busyUntilMs += (1000 * slice.length) / proxy.bytesPerSecond;
      await pause(busyUntilMs - performance.now());
      to.write(slice);
    }
    from.resume();
  }

  function relay(client: Socket): void {
    const service = connect(targetPort, '127.0.0.1');
    let kind: 'post' | 'stream' | 'other' = 'other';
    let isLost = false;
    let waiting: Buffer[] | undefined;
    for (const socket of [client, service]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        service.destroy();
      });
    }
    client.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(text)) {
        kind = /^POST /.test(text) ? 'post' : 'other';
        isLost = false;
        waiting = undefined;
        if (kind === 'post') proxy.postCount += 1;
        if (kind === 'post' && proxy.holdsPosts) {
          const chunks: Buffer[] = [];
          waiting = chunks;
          proxy.heldCount = held.push(() => deliver(Buffer.concat(chunks), client));
        }
        if (/\naccept: text\/event-stream/i.test(text)) {
          kind = 'stream';
          proxy.streamCount += 1;
          proxy.openStreams += 1;
          client.once('close', () => {
            proxy.openStreams -= 1;
          });
        }
      }
      const isForRoom = /^\S+ \/chat\//.test(text);
      const isStored = kind === 'post' && proxy.losesAnswers;
      if (waiting !== undefined) waiting.push(bytes);
      else if (proxy.portal && isForRoom && !isStored) client.write(portals[proxy.portal]);
      else if (kind === 'post' && proxy.losesPosts) client.destroy();
      else service.write(bytes);
    });
    const deliver = (bytes: Buffer, to: Socket) => {
      const own = connect(targetPort, '127.0.0.1');
      own.on('error', () => {});
      own.on('data', (answer) => to.writable && to.write(answer));
      to.once('close', () => own.end());
      own.write(bytes);
      if (to.destroyed) own.end();
    };
    const lose = (bytes: Buffer) => {
      // One answer a request: a second one would be taken for that of the next request.
      if (isLost) return;
      isLost = true;
      if (proxy.losesAnswers === 'gateway') client.write(badGateway);
      else if (proxy.losesAnswers === 'cut') client.destroy();
      else client.end(bytes.subarray(0, bytes.indexOf('\r\n\r\n') + 4));
    };
    service.on('data', (bytes) => {
      if (kind === 'post' && proxy.losesAnswers) lose(bytes);
      else if (kind === 'stream' && (proxy.swallowsStreams || proxy.freezesStreams)) {
        proxy.withheldBytes += bytes.length;
      } else if (proxy.bytesPerSecond < Number.POSITIVE_INFINITY) {
        void writeSlowly(service, client, bytes);
      } else client.write(bytes);
    });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  proxy.url = `http://127.0.0.1:${port}`;
  return proxy;
}
