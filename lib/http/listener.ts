/** The listening server: its limits, its protocol errors, and its drain. */
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Handler } from './app.ts';
import { endWith, toRaw } from './response/raw.ts';
import { IDLE_MS } from './response/reply.ts';

/** How many connections are open at a time. */
export const MAX_CONNECTIONS = 10_000;

/** How long a request's header may take. */
const HEADERS_TIMEOUT_MS = 30_000;

/** How often a drain looks whether all connections are closed. */
const DRAIN_LOOK_MS = 20;

/** In a turn of the event loop that takes no longer hardly anybody can have come. */
const SHORT_TURN_MS = 0.1;
/** How long a drain waits for such a turn: a busy process may have none. */
const MAX_TURNS_MS = 200;

/** What the listener is made of. */
export interface ListenerOptions {
  readonly handler: Handler;
  /** The header fields of every answer, for those that no handler gives. */
  readonly common: http.OutgoingHttpHeaders;
  /** The most connections at a time, {@link MAX_CONNECTIONS} unless told. */
  readonly maxConnections?: number;
}

/** A server that can be listened with and drained. */
export class Listener {
  readonly #server: http.Server;
  /** The open connections, each with its latest answer. */
  readonly #sockets = new Map<Duplex, http.ServerResponse | undefined>();
  readonly #common: http.OutgoingHttpHeaders;
  readonly #maxConnections: number;
  /** How many connections there ever were. */
  #accepted = 0;

  constructor(options: ListenerOptions) {
    this.#common = options.common;
    this.#maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
    const handler: Handler = (request, response) => {
      // After an answer past Node's own has ended the connection (RFC 9112 §9.6).
      if (!request.socket.writable) return;
      this.#sockets.set(request.socket, response);
      options.handler(request, response);
    };
    // The handler answers a missing Host itself, with the headers that every answer carries.
    this.#server = http.createServer({ requireHostHeader: false, noDelay: true }, handler);
    this.#server.keepAliveTimeout = 0;
    this.#server.timeout = IDLE_MS;
    this.#server.headersTimeout = HEADERS_TIMEOUT_MS;
    // A body has its own, shorter limit.
    this.#server.requestTimeout = 0;
    this.#server.on('checkContinue', handler);
    this.#server.on('checkExpectation', (_, response) => {
      const { headers, body } = this.#toAnswer(417);
      response.writeHead(417, { ...headers, Connection: 'close' }).end(body);
    });
    this.#server.on('connect', (_, socket) => this.#refuse(socket as net.Socket, 405));
    this.#server.on('clientError', (error, socket) => this.#refuseError(error, socket));
    this.#limitConnections();
  }

  /** How many connections are open. */
  get connectionCount(): number {
    return this.#sockets.size;
  }

  /**
   * Begins to listen.
   *
   * @param port 0 takes a free one
   * @param host `undefined` for all interfaces
   * @returns the port
   * @throws the system's error, as EADDRINUSE
   */
  listen(port: number, host: string | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host, backlog: 4096 }, () => {
        this.#server.off('error', reject);
        resolve((this.#server.address() as net.AddressInfo).port);
      });
    });
  }

  /**
   * Takes no new connection from soon on, and waits until the open ones are closed. An idle one stays
   * open for a while: a proxy may be sending on it just now, and that request would be lost.
   *
   * @param graceMs after this time the connections that are left are closed
   */
  async drain(graceMs: number): Promise<void> {
    const begunMs = performance.now();
    await this.#letIn();
    // Not the HTTP server's close: since Node 19 that one closes idle connections.
    net.Server.prototype.close.call(this.#server);
    while (this.#sockets.size > 0 && performance.now() - begunMs < graceMs) {
      await sleep(DRAIN_LOOK_MS);
    }
    this.#server.closeIdleConnections();
  }

  /**
   * Resolves just after a short turn of the event loop in which nobody came. Each turn accepts one of
   * those whom the system has let in; who is left when the socket is closed is reset, and can't know
   * what became of the request that was sent already.
   */
  async #letIn(): Promise<void> {
    const begunMs = performance.now();
    let isCalm = false;
    // What is left of this turn accepts nobody.
    await nextTurn();
    while (!isCalm && performance.now() - begunMs < MAX_TURNS_MS) {
      const [count, beganMs] = [this.#accepted, performance.now()];
      await nextTurn();
      isCalm = this.#accepted === count && performance.now() - beganMs < SHORT_TURN_MS;
    }
  }

  /** Puts a count before Node's own listener, which would serve every connection. */
  #limitConnections(): void {
    const [serve] = this.#server.listeners('connection');
    this.#server.removeAllListeners('connection');
    this.#server.on('connection', (socket: net.Socket) => {
      this.#accepted += 1;
      if (this.#sockets.size >= this.#maxConnections) {
        this.#refuse(socket, 503);
        return;
      }
      this.#sockets.set(socket, undefined);
      socket.once('close', () => this.#sockets.delete(socket));
      serve!.call(this.#server, socket);
    });
  }

  /** Answers what Node's parser refused. */
  #refuseError(error: NodeJS.ErrnoException, socket: Duplex): void {
    // Words of its own in the middle of an answer would be taken for a part of that.
    if (error.code === 'ECONNRESET' || !socket.writable || this.#isAnswering(socket)) {
      socket.destroy();
      return;
    }
    const isMethod = error.code === 'HPE_INVALID_METHOD' && REQUEST_LINE.test(toText(error));
    const status = isMethod ? 405 : (STATUS_BY_CODE[error.code ?? ''] ?? 400);
    this.#refuse(socket as net.Socket, status);
  }

  /** Whether an answer is under way, or is still to come for a request that was whole. */
  #isAnswering(socket: Duplex): boolean {
    const answer = this.#sockets.get(socket);
    if (answer === undefined || answer.writableEnded) return false;
    return answer.headersSent || answer.req.complete;
  }

  #refuse(socket: net.Socket, status: number): void {
    const { headers, body } = this.#toAnswer(status);
    endWith(socket, status, toRaw(headers), body);
  }

  #toAnswer(status: number): { headers: http.OutgoingHttpHeaders; body: string } {
    const body = `${TEXTS[status]}\n`;
    const headers: http.OutgoingHttpHeaders = {
      ...this.#common,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
    };
    if (status === 503) headers['Retry-After'] = '1';
    if (status === 405) headers.Allow = 'GET, HEAD, POST';
    return { headers, body };
  }
}

/** A request line whose method Node's parser does not know (RFC 9112 §3). */
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/1\.[01]\r?\n/;

function toText(error: NodeJS.ErrnoException & { rawPacket?: Buffer }): string {
  return error.rawPacket?.toString('latin1', 0, 16_384) ?? '';
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

const TEXTS: Readonly<Record<number, string>> = {
  400: 'the request is malformed; send HTTP/1.1 with a percent-encoded path',
  405: 'this server takes GET, HEAD and POST',
  408: 'the request took too long; send it faster',
  413: 'the chunk extensions are too large; leave them out',
  417: 'this server knows no other expectation than 100-continue; leave it out',
  431: 'the header is too large; it takes at most 16 KiB',
  503: 'too many connections are open; try again in a moment',
};
