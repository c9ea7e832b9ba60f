/** Counts answers for the metrics page. */
import { type Labels, type Registry, SECONDS_BOUNDS } from '../ops/metrics.ts';

/** All others count as one: a client may invent any number of methods. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

type Observe = (tookMs: number) => void;

/** Makes the counter of answers: by route, method and status, with the time each took. */
export function createObserver(registry: Registry) {
  const observers = new Map<string, Observe>();
  return (route: string, sentMethod: string, status: number, tookMs: number): void => {
    const method = METHODS.has(sentMethod) ? sentMethod : 'other';
    const key = `${route} ${method} ${status}`;
    let observe = observers.get(key);
    if (observe === undefined) {
      observe = toObserve(registry, { route, method, status: String(status) });
      observers.set(key, observe);
    }
    observe(tookMs);
  };
}

function toObserve(registry: Registry, labels: Labels): Observe {
  const name = 'chat_http_request_seconds';
  const help = 'Time until an answer was given to Node.';
  const seconds = registry.histogram(name, help, SECONDS_BOUNDS, labels);
  const count = registry.counter('chat_http_requests_total', 'Requests answered.', labels);
  return (tookMs) => {
    count.add();
    seconds.observe(tookMs / 1000);
  };
}
