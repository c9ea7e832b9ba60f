/**
 * The HTTP entry point: one handler for all requests. Each finds its route, passes the checks that
 * all requests share, and is answered by the route's handler in `routes/`. Whatever a handler
 * throws ends here, and every answer is counted. Rooms, storage and live delivery are in `room/`,
 * `store/` and `live/`; connections in `listener.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServiceError } from '../errors.ts';
import { prefers } from './request/negotiate.ts';
import { findHostFault } from './request/origin.ts';
import { RequestBatch } from './request-batch.ts';
import { createObserver } from './request-metrics.ts';
import { STATUS } from './response/reply.ts';
import type { AppParts, Route } from './route.ts';
import { findTarget, METHODS, type RouteName, type Target } from './router.ts';
import { sendAsset, sendPage } from './routes/get-asset.ts';
import { getRoom } from './routes/get-room.ts';
import { sendHealthy, sendMetrics, sendReady } from './routes/operators.ts';
import { postMessage } from './routes/post-message.ts';
import { redirect } from './routes/redirect.ts';
import { followRoom, streamRoom } from './routes/stream-room.ts';

/** Takes one request; never throws. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const ROUTES: Readonly<Record<RouteName, Route>> = {
  page: sendPage,
  asset: sendAsset,
  room: answerRoom,
  'page-redirect': redirect,
  'room-redirect': redirect,
  healthy: sendHealthy,
  ready: sendReady,
  metrics: sendMetrics,
};

/** Makes the handler of all requests. */
export function createApp(parts: AppParts): Handler {
  const { log, registry, store } = parts;
  const batch = new RequestBatch(store, (error) => {
    log.error('a request could not be concluded', { error });
  });
  const observe = createObserver(registry);
  return (request, response) => {
    const begunMs = performance.now();
    batch.add(async (snapshots) => {
      const target = findTarget(request.url ?? '');
      try {
        if (check(parts, target, response)) {
          await ROUTES[target.route](parts, target, response, snapshots);
        }
      } catch (error) {
        answerError(parts, response, error);
      }
      const { statusCode: status } = response;
      const { method = '' } = request;
      const tookMs = performance.now() - begunMs;
      observe(target?.route ?? 'none', method, status, tookMs);
      if (log.has('debug'))
        log.debug('answered', { method, path: toPath(request), status, tookMs });
    });
  };
}

/** Checks what all routes share; answers a request that does not pass, and returns false. */
function check(
  { reply }: AppParts,
  target: Target | undefined,
  response: ServerResponse,
): target is Target {
  const { req: request } = response;
  const { method = '' } = request;
  const fault = findFault(request);
  if (fault !== undefined) {
    reply.text(response, ...fault);
    return false;
  }
  if (target === undefined) {
    reply.text(response, 404, 'there is no such page; rooms are at /<room>');
    return false;
  }
  const methods = METHODS[target.route];
  if (methods !== undefined && (method === 'OPTIONS' || !methods.includes(method))) {
    const allow = methods.join(', ');
    if (method === 'OPTIONS') reply.send(response, 204, ['Allow', allow]);
    else reply.text(response, 405, `this page takes ${allow}`, ['Allow', allow]);
    return false;
  }
  if (target.fault !== undefined) reply.text(response, 400, target.fault);
  return target.fault === undefined;
}

/** Finds what is wrong with a request wherever it goes; returns the status and the line for it. */
function findFault(request: IncomingMessage): [status: number, line: string] | undefined {
  const { headers, httpVersion } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    // Node reports a request line without a version as HTTP/0.9.
    if (httpVersion === '0.9') return [400, 'the request line has no good version; send HTTP/1.1'];
    return [505, `this server does not speak HTTP/${httpVersion}; send HTTP/1.1`];
  }
  const hostFault = findHostFault(request);
  if (hostFault !== undefined) return [400, hostFault];
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    return [417, 'this server knows no other expectation than 100-continue; leave it out'];
  }
  return undefined;
}

function answerRoom(...request: Parameters<Route>): void | Promise<void> {
  const [, { query }, { req }] = request;
  if (req.method === 'POST') return postMessage(...request);
  if (prefers(req.headers.accept, 'text/event-stream')) return streamRoom(...request);
  if (query !== '' && new URLSearchParams(query).has('follow')) return followRoom(...request);
  return getRoom(...request);
}

/**
 * Answers what a handler threw: an expected failure by `STATUS` in reply.ts, a bug with 500 and a
 * log line.
 */
function answerError({ reply, log }: AppParts, response: ServerResponse, error: unknown): void {
  const { req: request } = response;
  const failure = error instanceof ServiceError ? error : undefined;
  if (failure === undefined) {
    log.error('a request failed', { method: request.method, path: toPath(request), error });
  }
  if (response.headersSent) {
    response.statusCode = failure === undefined ? 500 : STATUS[failure.code];
    // A part of the body is out: only cutting the connection shows the client that the body is
    // incomplete.
    request.socket.destroy();
  } else if (failure !== undefined) {
    reply.error(response, failure);
  } else {
    reply.text(response, 500, 'the server has a fault; it is in its log');
  }
}

/** The path as the log shows it: a form sent by GET has a message in its query. */
function toPath(request: IncomingMessage): string | undefined {
  return request.url?.replace(/\?.*/s, '');
}
