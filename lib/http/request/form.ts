/**
 * What a request says. Each file of this folder reads one part of it, and none of them answers: a part
 * that is invalid is a `ServiceError`. This one reads the form of a POST: its body, within a limit and a
 * time, and the fields of a message in it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServiceError } from '../../errors.ts';
import { checkCharset, type Fields } from './fields.ts';
import { parseJson } from './json.ts';
import { parseMultipart } from './multipart.ts';
import { type MediaType, parseMediaType } from './negotiate.ts';
import { parseUrlencoded } from './urlencoded.ts';

/** The largest body, in bytes. */
export const MAX_BODY_BYTES = 65_536;

/** How long a body may take after its request's header. */
const BODY_TIMEOUT_MS = 10_000;

const URLENCODED = 'application/x-www-form-urlencoded';

type Parser = (body: Buffer, media: MediaType) => Fields;

/** The types of body that are taken. */
const PARSERS = new Map<string, Parser>([
  [URLENCODED, parseUrlencoded],
  ['multipart/form-data', (body, media) => parseMultipart(body, media.parameters.get('boundary'))],
  ['application/json', parseJson],
]);

/** The fields of a message as sent; a missing one is `undefined`. */
export interface MessageForm {
  readonly username: string | undefined;
  readonly message: string | undefined;
}

/**
 * Reads the form of a request.
 *
 * @param response its request's body is not read if the header alone is enough to refuse it; a client
 *   that waits for `100 Continue` gets it before the body is read
 * @throws ServiceError `media-type`, `too-large`, `timeout` or `bad-request`
 */
export async function readForm(response: ServerResponse): Promise<MessageForm> {
  const { req: request } = response;
  const parse = pickParser(request);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw toTooLarge();
  // RFC 9110 §10.1.1: not to an HTTP/1.0 client.
  if (request.headers.expect !== undefined && request.httpVersion === '1.1') {
    response.writeContinue();
  }
  const sent = parse(findBody(request) ?? (await readBody(request)));
  // Of a repeated field the first counts.
  const fields = new Map(sent.reverse());
  // The handed-out clients send `msg`.
  return { username: fields.get('username'), message: fields.get('message') ?? fields.get('msg') };
}

function pickParser({ headers }: IncomingMessage): (body: Buffer) => Fields {
  // Exactly what most browsers and the handed-out clients send.
  if (headers['content-type'] === URLENCODED && headers['content-encoding'] === undefined) {
    return parseUrlencoded;
  }
  const media = parseMediaType(headers['content-type'] ?? '');
  const parse = PARSERS.get(media?.type ?? '');
  const isCompressed = !/^(?:identity)?$/i.test(headers['content-encoding']?.trim() ?? '');
  if (media === undefined || parse === undefined || isCompressed) {
    throw new ServiceError('media-type', `send ${[...PARSERS.keys()].join(' or ')}, uncompressed`);
  }
  checkCharset(media);
  return (body) => parse(body, media);
}

/**
 * Most forms come in one packet with their header, and Node has all of them by the end of the tick:
 * those need no listeners and no timer.
 */
function findBody(request: IncomingMessage): Buffer | null {
  const length = Number(request.headers['content-length']);
  const isHere = request.complete && request.readableLength === length && length > 0;
  return isHere ? request.read() : null;
}

/** @returns the body's bytes; never more than {@link MAX_BODY_BYTES} are kept */
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const fail = (error: unknown): void => {
      stop();
      request.pause();
      reject(error);
    };
    const onTimeout = (): void =>
      fail(new ServiceError('timeout', 'the body took longer than 10 s; send it faster'));
    const timer = setTimeout(onTimeout, BODY_TIMEOUT_MS);
    const onData = (chunk: Buffer): void => {
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_BODY_BYTES) fail(toTooLarge());
      else chunks.push(chunk);
    };
    const onEnd = (): void => {
      stop();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    };
    const onClose = (): void =>
      fail(new ServiceError('bad-request', 'the body was cut off; send all of it'));
    const stop = (): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
    };
    request.on('data', onData).on('end', onEnd).on('close', onClose);
    // Its client may have gone away since it arrived.
    if (request.closed) onClose();
  });
}

function toTooLarge(): ServiceError {
  const line = `the body is too large; it takes at most ${MAX_BODY_BYTES} bytes`;
  return new ServiceError('too-large', line);
}
