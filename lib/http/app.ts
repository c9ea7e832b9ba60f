/** The one request handler: route, method, room, handler, and the one error boundary. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServiceError } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import type { Registry } from '../ops/metrics.ts';
import { matchesTag } from './request/conditional.ts';
import { acceptsEvents } from './request/negotiate.ts';
import { countHosts } from './request/origin.ts';
import { type Looks, Turn } from './request-batch.ts';
import { createObserver } from './request-metrics.ts';
import { ALLOWED, findTarget, type Target } from './router.ts';
import { type Assets, PAGE } from './routes/assets.ts';
import { getText, type TextParts } from './routes/get-room.ts';
import { postMessage } from './routes/post-message.ts';
import { followRoom, type StreamParts, streamRoom } from './routes/stream-room.ts';

/** What the handler is made of. */
export interface AppParts extends StreamParts, TextParts {
  readonly assets: Assets;
  readonly registry: Registry;
  readonly log: Log;
  readonly isDraining: () => boolean;
}

/** Handles one request; never throws. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Makes the handler of all requests. */
export function createApp(parts: AppParts): Handler {
  const turn = new Turn(parts.store);
  const conclude = createConclusion(parts);
  return (request, response) => {
    const begunMs = performance.now();
    const target = findTarget(request.url ?? '/');
    const serve = (looks: Looks): void => {
      try {
        const answered = handle(parts, target, looks, response);
        if (answered === undefined) conclude(target, response, begunMs);
        else
          answered.then(
            () => conclude(target, response, begunMs),
            (error) => conclude(target, response, begunMs, error),
          );
      } catch (error) {
        conclude(target, response, begunMs, error);
      }
    };
    turn.add(serve);
  };
}

/** Writes down how a request ended: its error's answer, the metrics, the log. */
function createConclusion(parts: AppParts) {
  const { log } = parts;
  const observe = createObserver(parts.registry);
  return (
    target: Target | undefined,
    response: ServerResponse,
    begunMs: number,
    error?: unknown,
  ): void => {
    const { method = '', url } = response.req;
    if (error !== undefined) answerError(parts, response.req, response, error);
    const tookMs = performance.now() - begunMs;
    const status = response.statusCode;
    observe(target?.route ?? 'none', method, status, tookMs);
    if (log.has('debug')) {
      // The query is not logged: a form sent by GET has a message in it.
      log.debug('answered', { method, path: url?.replace(/\?.*/s, ''), status, tookMs });
    }
  };
}

/** @returns a promise where the answer takes longer than this call */
function handle(
  parts: AppParts,
  target: Target | undefined,
  looks: Looks,
  response: ServerResponse,
): Promise<void> | undefined {
  const { replier } = parts;
  const { httpVersion, method = '' } = response.req;
  const hosts = countHosts(response.req.rawHeaders);
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) {
    replier.sendText(response, 400, 'the Host field is missing or there are several; send one');
    return undefined;
  }
  if (target === undefined) {
    replier.sendText(response, 404, 'there is no such page; rooms are at /<room>');
    return undefined;
  }
  const allowed = ALLOWED[target.route];
  if (!allowed.includes(method)) {
    const Allow = allowed.join(', ');
    replier.sendText(response, 405, `this page takes ${Allow}`, { Allow });
    return undefined;
  }
  if (target.fault !== undefined) throw new ServiceError('bad-request', target.fault);
  if (target.route === 'room') return handleRoom(parts, target, looks, response);
  return handlePage(parts, target, response);
}

function handleRoom(
  parts: AppParts,
  target: Target,
  looks: Looks,
  response: ServerResponse,
): Promise<void> | undefined {
  const { argument, query } = target;
  const { method, headers } = response.req;
  if (method === 'POST') return postMessage(parts, argument, response);
  if (acceptsEvents(headers.accept)) return streamRoom(parts, argument, query, response);
  if (query !== '' && new URLSearchParams(query).has('follow')) {
    return followRoom(parts, argument, query, response);
  }
  return getText(looks, parts, argument, response);
}

async function handlePage(
  parts: AppParts,
  target: Target,
  response: ServerResponse,
): Promise<void> {
  const { replier } = parts;
  switch (target.route) {
    case 'page':
      return sendAsset(parts, PAGE, response);
    case 'asset':
      return sendAsset(parts, target.argument, response);
    case 'slash': {
      const query = target.query === '' ? '' : `?${target.query}`;
      const Location = target.argument + query;
      return replier.sendText(response, 308, `this page is at ${Location}`, { Location });
    }
    case 'healthy':
      return replier.sendText(response, 200, 'healthy', { 'Cache-Control': 'no-store' });
    case 'ready':
      return sendReady(parts, response);
    default:
      return replier.send(
        response,
        200,
        { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8', 'Cache-Control': 'no-store' },
        parts.registry.show(),
      );
  }
}

async function sendAsset(parts: AppParts, file: string, response: ServerResponse): Promise<void> {
  const { assets, replier } = parts;
  const { headers } = response.req;
  const asset = await assets.find(file, headers);
  if (asset === undefined) {
    replier.sendText(response, 404, 'there is no such file; the page is at /');
    return;
  }
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && matchesTag(ifNoneMatch, asset.etag, 'weak')) {
    const { 'Content-Type': _, 'Content-Encoding': __, ...kept } = asset.headers;
    replier.send(response, 304, kept);
  } else {
    replier.send(response, 200, asset.headers, asset.body);
  }
}

async function sendReady(parts: AppParts, response: ServerResponse): Promise<void> {
  const { replier, store } = parts;
  const headers = { 'Cache-Control': 'no-store' };
  if (parts.isDraining()) {
    const busy = { ...headers, 'Retry-After': '1' };
    return replier.sendText(response, 503, 'not ready: the server is shutting down', busy);
  }
  await store.check();
  replier.sendText(response, 200, 'ready', headers);
}

/** Everything that a handler throws ends here: an expected failure by the table, a bug as a 500. */
function answerError(
  { replier, log }: AppParts,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  // The client went away, or half of a body is out: there is nobody to tell but by a cut.
  if (request.destroyed && !request.complete) return;
  if (replier.hasBegun(response)) {
    response.destroy();
    return;
  }
  if (error instanceof ServiceError) {
    replier.sendError(response, error);
    return;
  }
  const path = request.url?.replace(/\?.*/s, '');
  log.error('a request failed', { method: request.method, path, error });
  replier.sendText(response, 500, 'the server has a fault; it is in its log');
}
