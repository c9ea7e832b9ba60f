/**
 * Answers with a room's text: all of it, a part, or that nothing has changed (contract §5).
 *
 * Each file of this folder is the handler of one route, which `app.ts` calls. A handler answers through
 * `response/`, throws a `ServiceError` for an expected failure, and never imports another one.
 */
import type { ServerResponse } from 'node:http';
import { formatCursor } from '../../room/cursor.ts';
import { findPart } from '../../room/line-reader.ts';
import type { Snapshot } from '../../store/store.ts';
import { allowsRange, evaluate, matchesTag, parseRange } from '../request/conditional.ts';
import { CLIENT_GONE, type HeaderFields, type Reply, TEXT } from '../response/reply.ts';
import type { AppParts, Route } from '../route.ts';

/** Answers a GET or HEAD of a room. */
export const getRoom: Route = async (parts, { argument: room }, response, snapshots) => {
  const { reply } = parts;
  const { headers } = response.req;
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && headers['if-match'] === undefined) {
    // The tag alone is cheaper than a snapshot, and is all that most polls need.
    const etag = await snapshots.etag(room);
    if (matchesTag(ifNoneMatch, etag, 'weak')) {
      return reply.send(response, 304, toCacheFields(etag));
    }
  }
  const snapshot = await snapshots.snapshot(room);
  const verdict = evaluate(headers, snapshot.etag);
  const fields = toCacheFields(snapshot.etag);
  if (verdict === 'proceed') await sendText(parts, snapshot, response, fields);
  else if (verdict === 'not-modified') reply.send(response, 304, fields);
  else reply.text(response, 412, 'the room has changed; read it again', fields);
};

async function sendText(
  { reply, timeZone }: AppParts,
  snapshot: Snapshot,
  response: ServerResponse,
  fields: string[],
): Promise<void> {
  const { sizeBytes } = snapshot;
  const range = findRange(snapshot, response);
  const cursor = formatCursor(snapshot.epoch, snapshot.completeBytes);
  fields.push('Accept-Ranges', 'bytes', 'Chat-Cursor', cursor, 'Chat-Time-Zone', timeZone);
  if (range === 'unsatisfiable') {
    fields.push('Content-Range', `bytes */${sizeBytes}`);
    const line = `the room has ${sizeBytes} bytes; ask for a range that begins before its end`;
    return reply.text(response, 416, line, fields);
  }
  const { from, to } = range ?? { from: 0, to: sizeBytes };
  const status = range === undefined ? 200 : 206;
  if (range !== undefined) fields.push('Content-Range', `bytes ${from}-${to - 1}/${sizeBytes}`);
  fields.push('Content-Type', TEXT);
  const part = findPart(snapshot, from, to);
  if (part !== undefined) return reply.send(response, status, fields, part);
  fields.push('Content-Length', String(to - from));
  await sendLargePart(reply, snapshot, from, to, response, status, fields);
}

/** Range counts for GET alone (RFC 9110 §14.2). */
function findRange({ etag, sizeBytes }: Snapshot, { req }: ServerResponse) {
  const { range, 'if-range': ifRange } = req.headers;
  if (range === undefined || req.method !== 'GET') return undefined;
  return allowsRange(ifRange as string | undefined, etag)
    ? parseRange(range, sizeBytes)
    : undefined;
}

/** Sends a part that is not in memory, a chunk at a time, at its reader's pace. */
async function sendLargePart(
  reply: Reply,
  snapshot: Snapshot,
  from: number,
  to: number,
  response: ServerResponse,
  status: number,
  fields: HeaderFields,
): Promise<void> {
  if (!reply.begin(response, status, fields)) return;
  if (response.req.method === 'HEAD') {
    response.end();
    return;
  }
  let leftBytes = to - from;
  for await (const chunk of snapshot.read(from, to)) {
    leftBytes -= chunk.length;
    if (await isCutOff(response, chunk, leftBytes === 0)) {
      response.statusCode = CLIENT_GONE;
      return;
    }
  }
}

/**
 * Writes a chunk and waits until the socket has taken it: only then may its buffer be filled again.
 *
 * @param isLast whether the answer ends with it; sent together, they are one packet
 * @returns whether the connection was closed before that
 */
function isCutOff(response: ServerResponse, chunk: Buffer, isLast: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const onClose = (): void => resolve(true);
    response.once('close', onClose);
    const onTaken = (error?: Error | null): void => {
      response.off('close', onClose);
      resolve(error instanceof Error);
    };
    if (isLast) response.end(chunk, onTaken);
    else response.write(chunk, onTaken);
  });
}

function toCacheFields(etag: string): string[] {
  return ['ETag', etag, 'Cache-Control', 'no-cache', 'Vary', 'Accept'];
}
