/**
 * The listening server: how many connections there are, how much one connection may ask for at a time,
 * what Node's parser refuses, and the drain. What a request means is the handler's. The limit of a
 * body is in `request/form.ts`.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises';
import type { Handler } from './app.ts';
import { emitClose, stopAccepting } from './node-internals.ts';
import { type HeaderFields, IDLE_MS, TEXT } from './response/reply.ts';

/** How many connections are open at a time. */
export const MAX_CONNECTIONS = 10_000;

/** A connection with more open responses is not read further. */
export const MAX_OPEN_RESPONSES = 16;

/** How long a request's header may take. */
const HEADERS_TIMEOUT_MS = 30_000;

/** Node checks the time of headers this often in that time. */
const HEADERS_CHECKS = 30;

/** Hardly anybody can have connected in a tick that takes no longer. */
const SHORT_TICK_MS = 0.1;
/** How long a drain waits for such a tick: a busy process may have none. */
const MAX_ACCEPT_MS = 200;

/** How often a drain checks which connections are idle, and which are left. */
const DRAIN_CHECK_MS = 20;

/** How long a client may take to close its side of a refused connection. */
const CLOSE_MS = 1000;

/** What the listener is made of. */
export interface ListenerOptions {
  readonly handler: Handler;
  /** The header fields of every answer, for those that the handler does not give. */
  readonly common: HeaderFields;
  /** {@link MAX_CONNECTIONS} unless given. */
  readonly maxConnections?: number;
  /** 30 s unless given. */
  readonly headersTimeoutMs?: number;
}

/** An error of Node's parser, with the bytes that it was in. */
type ParseError = NodeJS.ErrnoException & {
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
};

interface Connection {
  /** The responses that are not sent yet, in order; a few that are may still be among them. */
  readonly open: ServerResponse[];
  /** When it was accepted, or its last response was sent. */
  idleSinceMs: number;
  isHeld: boolean;
  isRefused: boolean;
}

/** A server that listens and drains. */
export class Listener {
  readonly #server: http.Server;
  readonly #connections = new Map<Duplex, Connection>();
  readonly #handler: Handler;
  readonly #common: HeaderFields;
  readonly #maxConnections: number;
  /** How many connections there were since the start. */
  #accepted = 0;

  constructor(options: ListenerOptions) {
    this.#handler = options.handler;
    this.#common = options.common;
    this.#maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
    const headersTimeout = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
    this.#server = http.createServer({
      // The handler answers for a missing Host, with the header fields of every answer.
      requireHostHeader: false,
      noDelay: true,
      headersTimeout,
      connectionsCheckingInterval: headersTimeout / HEADERS_CHECKS,
      // A body has a limit of its own, which is shorter.
      requestTimeout: 0,
      keepAliveTimeout: 0,
    });
    this.#server.timeout = IDLE_MS;
    this.#server.on('connection', (socket) => this.#onConnection(socket));
    for (const event of ['request', 'checkContinue', 'checkExpectation']) {
      this.#server.on(event, (request, response) => this.#onRequest(request, response));
    }
    this.#server.on('connect', (_, socket) => this.#refuseInOrder(socket, 405));
    this.#server.on('clientError', (error, socket) => this.#onClientError(error, socket));
  }

  /** How many connections are open. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Begins to listen.
   *
   * @param port 0 takes a free one
   * @param host `undefined` for all interfaces
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
   * Stops accepting, and waits until the open connections are closed. One that was in use shortly
   * before stays open for a while: a proxy may be sending a request on it just now, which would be lost.
   *
   * @param graceMs a connection is closed when it has been idle for that long, before the drain or in
   *   it; after this time the drain ends
   */
  async drain(graceMs: number): Promise<void> {
    const endMs = performance.now() + graceMs;
    await this.#acceptWaiting();
    stopAccepting(this.#server);
    while (this.#connections.size > 0 && performance.now() < endMs) {
      this.#closeIdleSince(performance.now() - graceMs);
      await sleep(DRAIN_CHECK_MS);
    }
    this.#server.closeIdleConnections();
  }

  #closeIdleSince(timeMs: number): void {
    for (const [socket, { open, idleSinceMs }] of this.#connections) {
      dropFinished(open);
      if (open.length === 0 && idleSinceMs <= timeMs) socket.destroy();
    }
  }

  /**
   * Resolves just after a short tick in which nobody connected. Each tick accepts one of the clients
   * that the system has let in; those left when the socket is closed are reset, and can't know what
   * became of a request that they sent already.
   */
  async #acceptWaiting(): Promise<void> {
    const begunMs = performance.now();
    let isCalm = false;
    // The rest of this tick accepts nobody.
    await tick();
    while (!isCalm && performance.now() - begunMs < MAX_ACCEPT_MS) {
      const [count, tickMs] = [this.#accepted, performance.now()];
      await tick();
      isCalm = this.#accepted === count && performance.now() - tickMs < SHORT_TICK_MS;
    }
  }

  #onConnection(socket: net.Socket): void {
    this.#accepted += 1;
    // Node stops listening for errors when it gives a socket away (CONNECT).
    socket.on('error', () => socket.destroy());
    if (this.#connections.size >= this.#maxConnections) {
      this.#refuse(socket, 503);
      return;
    }
    const idleSinceMs = performance.now();
    const connection: Connection = { open: [], idleSinceMs, isHeld: false, isRefused: false };
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      emitClose(connection.open);
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = this.#connections.get(socket);
    // Nothing is served after an answer that ends the connection (RFC 9112 §9.6).
    if (connection === undefined || connection.isRefused || !socket.writable) {
      request.resume();
      return;
    }
    const { open } = connection;
    dropFinished(open);
    if (open.push(response) > MAX_OPEN_RESPONSES) hold(socket, connection);
    response.once('close', () => {
      connection.idleSinceMs = performance.now();
    });
    this.#handler(request, response);
  }

  #onClientError(error: ParseError, socket: Duplex): void {
    if (error.code === 'ECONNRESET') socket.destroy();
    else this.#refuseInOrder(socket, toStatus(error));
  }

  /** Refuses what Node gives to no handler, after the answers to the requests before it. */
  #refuseInOrder(socket: Duplex, status: number): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isRefused) return;
    connection.isRefused = true;
    const open = connection.open.filter((response) => !response.writableFinished);
    // Bytes in the middle of an answer would be taken for a part of it.
    if (open.some((response) => response.headersSent && !response.writableEnded)) {
      socket.destroy();
      return;
    }
    // A request that has not arrived as a whole is itself the refused one.
    const last = open.findLast(({ req }) => req.complete);
    if (last === undefined) this.#refuse(socket, status);
    else last.once('close', () => this.#refuse(socket, status));
  }

  /** Writes a whole answer past Node's own (RFC 9112 §4), and ends the connection. */
  #refuse(socket: Duplex, status: number): void {
    if (!socket.writable) return;
    const body = `${LINES[status]}\n`;
    const fields = [
      ...this.#common,
      ...['Content-Type', TEXT, 'Content-Length', String(body.length)],
      ...['Date', new Date().toUTCString(), 'Connection', 'close'],
    ];
    if (status === 503) fields.push('Retry-After', '1');
    if (status === 405) fields.push('Allow', 'GET, HEAD, POST, OPTIONS');
    let head = `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n`;
    for (let index = 0; index < fields.length; index += 2) {
      head += `${fields[index]}: ${fields[index + 1]}\r\n`;
    }
    socket.end(`${head}\r\n${body}`, 'latin1');
    // Bytes that nobody reads would reset the connection, and the answer with it.
    socket.resume();
    setTimeout(() => socket.destroy(), CLOSE_MS).unref();
  }
}

/** Responses are sent in the order of their requests. */
function dropFinished(open: ServerResponse[]): void {
  while (open[0]?.writableFinished) open.shift();
}

/** Stops reading a connection until few enough of its responses are open. */
function hold(socket: net.Socket, connection: Connection): void {
  if (connection.isHeld) return;
  connection.isHeld = true;
  // Node resumes the socket when somebody reads the body of a request that it has taken in already.
  const pause = (): void => void socket.pause();
  socket.on('resume', pause).pause();
  const release = (): void => {
    dropFinished(connection.open);
    if (connection.open.length > MAX_OPEN_RESPONSES) {
      connection.open[0]!.once('close', release);
      return;
    }
    connection.isHeld = false;
    socket.off('resume', pause).resume();
  };
  connection.open[0]!.once('close', release);
}

/** A request line whose method Node's parser does not know (RFC 9112 §3). */
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/1\.[01]\r?\n/;

function toStatus({ code = '', rawPacket, bytesParsed = 0 }: ParseError): number {
  if (code !== 'HPE_INVALID_METHOD') return STATUS_BY_CODE[code] ?? 400;
  // Good requests may stand before the bad one.
  const text = rawPacket?.toString('latin1') ?? '';
  const start = text.lastIndexOf('\n', Math.max(0, bytesParsed - 1)) + 1;
  return REQUEST_LINE.test(text.slice(start)) ? 405 : 400;
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_INVALID_VERSION: 505,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

const LINES: Readonly<Record<number, string>> = {
  400: 'the request is malformed; send HTTP/1.1 with a percent-encoded path',
  405: 'this server takes GET, HEAD, POST and OPTIONS',
  408: 'the header took longer than 30 s; send it faster',
  413: 'the chunk extensions are too large; leave them out',
  431: 'the header is too large; it takes at most 16 KiB',
  503: 'too many connections are open; try again in a moment',
  505: 'this server speaks HTTP/1.1 and HTTP/1.0; send one of them',
};
