/** The one request handler: route, method, room, handler, and the one error boundary. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Registry, SECONDS_BOUNDS } from '../metrics.ts';
import { type Assets, PAGE } from './assets.ts';
import { matchesTag } from './conditional.ts';
import { acceptsEvents } from './negotiate.ts';
import { getText, postMessage } from './room.ts';
import { ALLOWED, findTarget, type Target } from './router.ts';
import { followRoom, type StreamParts, streamRoom } from './stream.ts';

/** What the handler is made of. */
export interface AppParts extends StreamParts {
  readonly assets: Assets;
  readonly registry: Registry;
  readonly log: Log;
  readonly isDraining: () => boolean;
}

/** Handles one request; never rejects. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

/** Makes the handler of all requests. */
export function createApp(parts: AppParts): Handler {
  const observe = createObserver(parts.registry);
  return async (request, response) => {
    const begunMs = performance.now();
    const target = findTarget(request.url ?? '/');
    try {
      await handle(parts, target, request, response);
    } catch (error) {
      answerError(parts, request, response, error);
    }
    const tookMs = performance.now() - begunMs;
    observe(target?.route ?? 'none', request.method ?? '', response.statusCode, tookMs);
    if (parts.log.has('debug')) {
      // The query is not logged: a form sent by GET has a message in it.
      const path = request.url?.replace(/\?.*/s, '');
      const { method } = request;
      parts.log.debug('answered', { method, path, status: response.statusCode, tookMs });
    }
  };
}

async function handle(
  parts: AppParts,
  target: Target | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { replier } = parts;
  const hosts = request.headers.host;
  if (hosts === undefined && request.httpVersion === '1.1') {
    return replier.sendText(response, 400, 'the Host field is missing; send one');
  }
  if (target === undefined) {
    return replier.sendText(response, 404, 'there is no such page; rooms are at /<room>');
  }
  const allowed = ALLOWED[target.route];
  if (!allowed.includes(request.method ?? '')) {
    const Allow = allowed.join(', ');
    return replier.sendText(response, 405, `this page takes ${Allow}`, { Allow });
  }
  if (target.fault !== undefined) throw new ServiceError('bad-request', target.fault);
  if (target.route === 'room') return handleRoom(parts, target, response);
  return handlePage(parts, target, response);
}

function handleRoom(parts: AppParts, target: Target, response: ServerResponse): Promise<void> {
  const { store, replier } = parts;
  const { argument, query } = target;
  const { method, headers } = response.req;
  if (method === 'POST') return postMessage(parts, argument, response);
  if (acceptsEvents(headers.accept)) return streamRoom(parts, argument, query, response);
  if (query !== '' && new URLSearchParams(query).has('follow')) {
    return followRoom(parts, argument, query, response);
  }
  return getText(store, replier, argument, response);
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

function sendAsset({ assets, replier }: AppParts, file: string, response: ServerResponse): void {
  const { headers } = response.req;
  const asset = assets.find(file, headers);
  if (asset === undefined) {
    replier.sendText(response, 404, 'there is no such file');
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
  if (response.headersSent) {
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

function createObserver(registry: Registry) {
  const known = new Map<string, (tookMs: number) => void>();
  return (route: string, sentMethod: string, status: number, tookMs: number): void => {
    const method = KNOWN_METHODS.has(sentMethod) ? sentMethod : 'other';
    const key = `${route} ${method} ${status}`;
    let observe = known.get(key);
    if (observe === undefined) {
      const labels = { route, method, status: String(status) };
      const name = 'chat_http_request_seconds';
      const help = 'Time until an answer was handed over.';
      const seconds = registry.histogram(name, help, SECONDS_BOUNDS, labels);
      const count = registry.counter('chat_http_requests_total', 'Requests answered.', labels);
      observe = (ms) => {
        count.add();
        seconds.observe(ms / 1000);
      };
      known.set(key, observe);
    }
    observe(tookMs);
  };
}
