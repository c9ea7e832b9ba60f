/**
 * How an answer is written. The routes decide what is answered. This file has the header fields that all
 * answers carry, the table of errors, and how answers end; `frames.ts` makes the frames of streams, and
 * `socket-sink.ts` writes them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorCode, ServiceError } from '../../errors.ts';
import { keepsConnection } from '../node-internals.ts';

/** Header fields as Node writes them with the least work: a name, its value, the next name… */
export type HeaderFields = readonly string[];

/** The one table from error code to status. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  'bad-request': 400,
  forbidden: 403,
  timeout: 408,
  conflict: 409,
  gone: 410,
  'too-large': 413,
  'media-type': 415,
  busy: 503,
  unavailable: 503,
};

/** What `statusCode` says, for the metrics, if the client went away before its answer (contract §8). */
export const CLIENT_GONE = 499;

/**
 * How long a connection stays open on which nothing moves, idle or in the middle of an answer: longer
 * than nginx keeps an idle one (60 s). One limit for both is one timer a connection; Node's own for
 * idle connections would be set and taken away with every request.
 */
export const IDLE_MS = 75_000;

/**
 * What a client is told of that (`Keep-Alive`), in seconds. Many obey, as Node's fetch does; the others,
 * proxies among them, never read it. It is less than the grace of a drain: a monitor that asks now and
 * then has closed its connection before a drain has to wait for it.
 */
const ADVISED_IDLE = 5;

/** The media type of a room's text, of a stored line and of a refusal. */
export const TEXT = 'text/plain; charset=utf-8';

/** How much of a refused body is read and dropped, so that its sender gets to read the answer. */
const DROP_BYTES = 1 << 20;
const DROP_MS = 1000;

/** A body larger than this is not read to its end for the sake of its connection. */
const SMALL_BODY_BYTES = 65_536;

/** Writes answers in the name of one server. */
export class Reply {
  /** The value of `Chat-Server`. */
  readonly server: string;
  /** The header fields that every answer carries. */
  readonly common: HeaderFields;
  readonly #closing: HeaderFields;
  readonly #keeping: HeaderFields;
  readonly #isDraining: () => boolean;

  /**
   * @param isDraining whether connections are to be closed after their answer
   */
  constructor(server: string, isDraining: () => boolean) {
    this.server = server;
    this.common = ['Chat-Server', server, 'X-Content-Type-Options', 'nosniff'];
    this.#closing = [...this.common, 'Connection', 'close'];
    this.#keeping = [...this.common, 'Keep-Alive', `timeout=${ADVISED_IDLE}`];
    this.#isDraining = isDraining;
  }

  /**
   * Sends a whole answer.
   *
   * @param fields its own header fields; `Content-Length` is added
   * @param body not sent for HEAD, but its length is
   */
  send(
    response: ServerResponse,
    status: number,
    fields: HeaderFields,
    body: Buffer | string = '',
  ): void {
    const { req: request } = response;
    const hasLength = status !== 204 && status !== 304;
    const own = hasLength ? fields.concat('Content-Length', toLength(body)) : fields;
    const sent = request.method === 'HEAD' ? '' : body;
    if (isBodyComing(request)) this.#sendAndDrop(response, status, own, sent);
    else if (this.begin(response, status, own)) response.end(sent);
  }

  /** Sends one line of plain text. */
  text(response: ServerResponse, status: number, line: string, fields: HeaderFields = []): void {
    this.send(response, status, fields.concat('Content-Type', TEXT), `${line}\n`);
  }

  /** Answers an expected failure by the table. */
  error(response: ServerResponse, error: ServiceError): void {
    const status = STATUS[error.code];
    const fields = status === 503 ? ['Retry-After', '1'] : [];
    this.text(response, status, error.message, fields);
  }

  /**
   * Writes the head of an answer; the caller writes the body.
   *
   * @returns false if the client is gone: then nothing is written, and the answer counts as 499
   */
  begin(response: ServerResponse, status: number, fields: HeaderFields): boolean {
    if (!response.req.socket.writable) {
      response.statusCode = CLIENT_GONE;
      return false;
    }
    // After 408 the rest of a slow body may still come (RFC 9110 §15.5.9). A drain may have begun
    // since the request came, so it is asked only now.
    const isLast = status === 408 || isBodyComing(response.req) || this.#isDraining();
    const isKept = !isLast && keepsConnection(response);
    response.writeHead(status, (isKept ? this.#keeping : this.#closing).concat(fields));
    return true;
  }

  /**
   * Answers at once and drops what still comes, within limits: a connection that is closed with
   * bytes unread is reset, and its peer may lose the answer (RFC 9112 §9.6).
   */
  #sendAndDrop(
    response: ServerResponse,
    status: number,
    fields: HeaderFields,
    body: Buffer | string,
  ): void {
    const { req: request } = response;
    if (!this.begin(response, status, fields)) return;
    response.write(body);
    response.flushHeaders();
    let droppedBytes = 0;
    const finish = (): void => {
      clearTimeout(timer);
      request.off('data', onData);
      response.end();
    };
    const timer = setTimeout(finish, DROP_MS);
    const onData = (chunk: Buffer): void => {
      droppedBytes += chunk.length;
      if (droppedBytes > DROP_BYTES) finish();
    };
    request.on('data', onData).once('end', finish).once('close', finish);
    request.resume();
  }
}

function toLength(body: Buffer | string): string {
  return String(typeof body === 'string' ? Buffer.byteLength(body) : body.length);
}

/** Whether a body is on its way that is too large to be read to its end. */
function isBodyComing(request: IncomingMessage): boolean {
  if (request.complete) return false;
  const { headers } = request;
  if (headers['transfer-encoding'] !== undefined || headers.expect !== undefined) return true;
  return Number(headers['content-length'] ?? 0) > SMALL_BODY_BYTES;
}
