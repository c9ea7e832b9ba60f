/** The handler of a room's text: the whole, a part, or the word that nothing has changed. */
import type { ServerResponse } from 'node:http';
import { formatCursor } from '../../room/cursor.ts';
import { findPart } from '../../room/line-reader.ts';
import type { Snapshot } from '../../store/store.ts';
import { chain } from '../chain.ts';
import { allowsRange, evaluate, matchesTag, parseRange } from '../request/conditional.ts';
import type { Looks } from '../request-batch.ts';
import type { RawFields } from '../response/raw.ts';
import { type Replier, TEXT } from '../response/reply.ts';

/** What it takes to answer with a room's text. */
export interface TextParts {
  readonly replier: Replier;
  /** What `Chat-Time-Zone` says: an IANA name. */
  readonly timeZone: string;
}

/**
 * Answers a GET or HEAD of a room's text (contract §5).
 *
 * @returns a promise where the answer takes longer than this call
 */
export function getText(
  looks: Looks,
  parts: TextParts,
  room: string,
  response: ServerResponse,
): Promise<void> | undefined {
  const { headers } = response.req;
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch === undefined || headers['if-match'] !== undefined) {
    return chain(looks.snapshot(room), (view) => answerText(parts, view, response));
  }
  return chain(looks.etag(room), (etag) => {
    if (matchesTag(ifNoneMatch, etag, 'weak')) {
      parts.replier.sendRaw(response, 304, toCacheFields(etag));
      return undefined;
    }
    return chain(looks.snapshot(room), (view) => answerText(parts, view, response));
  });
}

function answerText(
  parts: TextParts,
  view: Snapshot,
  response: ServerResponse,
): Promise<void> | undefined {
  const verdict = evaluate(response.req.headers, view.etag);
  if (verdict === 'proceed') return sendText(parts, view, response);
  const { replier } = parts;
  const fields = toCacheFields(view.etag);
  if (verdict === 'not-modified') replier.sendRaw(response, 304, fields);
  else sendLine(replier, response, 412, 'the room has changed; read it again', fields);
  return undefined;
}

function sendText(
  { replier, timeZone }: TextParts,
  view: Snapshot,
  response: ServerResponse,
): Promise<void> | undefined {
  const { method, headers } = response.req;
  const { etag, sizeBytes } = view;
  const field = method === 'GET' ? headers.range : undefined;
  const canRange =
    field !== undefined && allowsRange(headers['if-range'] as string | undefined, etag);
  const range = canRange ? parseRange(field, sizeBytes) : undefined;
  const fields = toCacheFields(etag);
  const cursor = formatCursor(view.epoch, view.completeBytes);
  fields.push('Accept-Ranges', 'bytes', 'Chat-Cursor', cursor);
  fields.push('Chat-Time-Zone', timeZone);
  if (range === 'unsatisfiable') {
    fields.push('Content-Range', `bytes */${sizeBytes}`);
    const words = `the room has ${sizeBytes} bytes; ask for a range that begins before its end`;
    sendLine(replier, response, 416, words, fields);
    return undefined;
  }
  const { from, to } = range ?? { from: 0, to: sizeBytes };
  fields.push('Content-Type', TEXT, 'Content-Length', String(to - from));
  if (range !== undefined) fields.push('Content-Range', `bytes ${from}-${to - 1}/${sizeBytes}`);
  const status = range === undefined ? 200 : 206;
  const part = findPart(view, from, to);
  if (part === undefined) return streamText(replier, view, from, to, response, status, fields);
  replier.sendRaw(response, status, fields, part);
  return undefined;
}

async function streamText(
  replier: Replier,
  view: Snapshot,
  from: number,
  to: number,
  response: ServerResponse,
  status: number,
  fields: RawFields,
): Promise<void> {
  replier.beginRaw(response, status, fields);
  if (response.req.method !== 'HEAD') {
    let left = to - from;
    for await (const chunk of view.read(from, to)) {
      left -= chunk.length;
      await (left > 0 ? write(response, chunk) : end(response, chunk));
    }
  }
  if (!response.writableEnded) response.end();
}

/** Resolves when the socket has taken the chunk: only then may its buffer be filled again. */
function write(response: ServerResponse, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

/** Sends the last chunk and the end as one; resolves when it is sent, or when nobody takes it. */
function end(response: ServerResponse, chunk: Buffer): Promise<void> {
  if (response.closed) return Promise.resolve();
  return new Promise((resolve) => {
    response.once('close', () => resolve());
    response.end(chunk);
  });
}

function toCacheFields(etag: string): string[] {
  return ['ETag', etag, 'Cache-Control', 'no-cache', 'Vary', 'Accept'];
}

function sendLine(
  replier: Replier,
  response: ServerResponse,
  status: number,
  line: string,
  fields: RawFields,
): void {
  const length = String(Buffer.byteLength(line) + 1);
  const raw = [...fields, 'Content-Type', TEXT, 'Content-Length', length];
  replier.sendRaw(response, status, raw, `${line}\n`);
}
