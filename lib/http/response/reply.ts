/** Answers: the headers that all of them carry, the table of errors, and their end. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { ErrorCode, ServiceError } from '../../errors.ts';
import { endWith, type RawFields, toRaw } from './raw.ts';

/** The one table from error code to status. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  'bad-request': 400,
  forbidden: 403,
  timeout: 408,
  gone: 410,
  'too-large': 413,
  'media-type': 415,
  busy: 503,
  unavailable: 503,
};

/**
 * How long a connection stays open on which nothing moves, idle or in the middle of an answer: longer
 * than nginx keeps an idle one (60 s). One limit for both is one timer a connection; Node's own for
 * idle connections would be set and taken away with every request.
 */
export const IDLE_MS = 75_000;

/** The media type of a room's text, of a stored line and of words to a client. */
export const TEXT = 'text/plain; charset=utf-8';

/** Seconds after which a client may try again. */
const RETRY_AFTER = '1';

/** What is read and dropped of a refused body, so that its sender gets to read the answer. */
const LINGER_BYTES = 1 << 20;
const LINGER_MS = 1000;

/** A body larger than this is not read to its end for the sake of its connection. */
const SMALL_BODY_BYTES = 65_536;

/** Writes answers in the name of one server. */
export class Replier {
  readonly #common: OutgoingHttpHeaders;
  readonly #closing: string[];
  readonly #keeping: string[];
  readonly #isDraining: () => boolean;
  /** The answers whose head is ready, but not sent. */
  readonly #prepared = new WeakSet<ServerResponse>();

  /**
   * @param server the value of `Chat-Server`
   * @param isDraining whether connections are to be closed after their answer
   */
  constructor(server: string, isDraining: () => boolean) {
    this.#common = { 'Chat-Server': server, 'X-Content-Type-Options': 'nosniff' };
    this.#closing = toRaw(this.#common);
    this.#keeping = [...this.#closing, 'Keep-Alive', `timeout=${IDLE_MS / 1000}`];
    this.#isDraining = isDraining;
  }

  /** The headers that every answer carries. */
  get common(): OutgoingHttpHeaders {
    return this.#common;
  }

  /** Writes the head of an answer; its end is the caller's. */
  begin(response: ServerResponse, status: number, headers: OutgoingHttpHeaders): void {
    this.beginRaw(response, status, toRaw(headers));
  }

  /**
   * Writes a whole answer.
   *
   * @param body nothing of it is sent for HEAD, but its length
   */
  send(
    response: ServerResponse,
    status: number,
    headers: OutgoingHttpHeaders,
    body: Buffer | string = '',
  ): void {
    const raw = toRaw(headers);
    if (status !== 304) raw.push('Content-Length', String(Buffer.byteLength(body)));
    this.sendRaw(response, status, raw, body);
  }

  /**
   * Writes a whole answer with the least work, for those that are given often.
   *
   * @param raw its own header fields, with `Content-Length` where there is a body
   */
  sendRaw(
    response: ServerResponse,
    status: number,
    raw: RawFields,
    body: Buffer | string = '',
  ): void {
    const request = response.req;
    if (response.headersSent && this.#prepared.delete(response)) {
      // For those who count.
      response.statusCode = status;
      const { socket } = response;
      if (socket !== null) endWith(socket, status, this.#closing.concat(raw), body);
      return;
    }
    if (isBodyWaiting(request)) {
      this.#sendAndLinger(response, status, raw, body);
      return;
    }
    this.beginRaw(response, status, raw);
    if (body === '' || request.method === 'HEAD') response.end();
    else response.end(body);
  }

  /** {@link begin} with the least work. */
  beginRaw(response: ServerResponse, status: number, raw: RawFields): void {
    // Decided now and not when the request came: the drain may have begun meanwhile.
    if (this.#isDraining()) response.shouldKeepAlive = false;
    const common = response.shouldKeepAlive ? this.#keeping : this.#closing;
    response.writeHead(status, common.concat(raw));
  }

  /**
   * Makes the head of an answer ready that is most likely to be given, so that {@link sendPrepared}
   * has little left to do. Any other answer may be given instead, but as Node has one head for each,
   * the connection ends with that.
   *
   * @returns whether it is ready; not, where others are to be answered before it, where an answer has
   *   begun, or where a body is still on its way
   */
  prepare(response: ServerResponse, status: number, raw: RawFields): boolean {
    if (response.socket === null || response.headersSent) return false;
    if (isBodyWaiting(response.req)) return false;
    this.beginRaw(response, status, raw);
    this.#prepared.add(response);
    return true;
  }

  /** @returns whether a prepared answer is given; not, where its head tells nothing of a drain */
  sendPrepared(response: ServerResponse, body: string): boolean {
    if (response.shouldKeepAlive && this.#isDraining()) return false;
    this.#prepared.delete(response);
    response.end(body);
    return true;
  }

  /** Whether no other answer can be given any more. */
  hasBegun(response: ServerResponse): boolean {
    return response.headersSent && !this.#prepared.has(response);
  }

  /** Writes one line of plain text. */
  sendText(response: ServerResponse, status: number, text: string, headers = {}): void {
    const type = { 'Content-Type': TEXT };
    this.send(response, status, { ...type, ...headers }, `${text}\n`);
  }

  /** Answers an expected failure by the table. */
  sendError(response: ServerResponse, error: ServiceError): void {
    const status = STATUS[error.code];
    // After a body that came too slowly, what still comes of it would be taken for a request.
    if (status === 408) response.shouldKeepAlive = false;
    const headers = status === 503 ? { 'Retry-After': RETRY_AFTER } : {};
    this.sendText(response, status, error.message, headers);
  }

  /**
   * Answers at once and drops what still comes, within limits: a connection that is closed with
   * bytes unread is reset, and its peer may lose the answer (RFC 9112 §9.6).
   */
  #sendAndLinger(
    response: ServerResponse,
    status: number,
    raw: RawFields,
    body: Buffer | string,
  ): void {
    const request = response.req;
    response.shouldKeepAlive = false;
    this.beginRaw(response, status, raw);
    if (request.method === 'HEAD') response.flushHeaders();
    else response.write(body);
    let dropped = 0;
    const finish = (): void => {
      clearTimeout(timer);
      request.off('data', onData);
      response.end();
    };
    const timer = setTimeout(finish, LINGER_MS);
    const onData = (chunk: Buffer): void => {
      dropped += chunk.length;
      if (dropped > LINGER_BYTES) finish();
    };
    request.on('data', onData).once('end', finish).once('close', finish);
    request.resume();
  }
}

/** Whether a body is on its way that is too large to be read to its end. */
function isBodyWaiting(request: IncomingMessage): boolean {
  if (request.complete) return false;
  if (request.headers['transfer-encoding'] !== undefined) return true;
  if (request.headers.expect !== undefined) return true;
  return Number(request.headers['content-length'] ?? 0) > SMALL_BODY_BYTES;
}
