/** Counting answers for the metrics page. */
import { type Labels, type Registry, SECONDS_BOUNDS } from '../metrics.ts';

const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

type Observe = (tookMs: number) => void;

/**
 * Makes the counter of answers, by route, method and status, with their times.
 *
 * @param registry where they are shown
 */
export function createObserver(registry: Registry) {
  const known = new Map<string, Map<number, Observe>>();
  return (route: string, sentMethod: string, status: number, tookMs: number): void => {
    const method = KNOWN_METHODS.has(sentMethod) ? sentMethod : 'other';
    const key = `${route} ${method}`;
    let statuses = known.get(key);
    if (statuses === undefined) {
      statuses = new Map();
      known.set(key, statuses);
    }
    let observe = statuses.get(status);
    if (observe === undefined) {
      observe = toObserve(registry, { route, method, status: String(status) });
      statuses.set(status, observe);
    }
    observe(tookMs);
  };
}

function toObserve(registry: Registry, labels: Labels): Observe {
  const name = 'chat_http_request_seconds';
  const help = 'Time until an answer was handed over.';
  const seconds = registry.histogram(name, help, SECONDS_BOUNDS, labels);
  const count = registry.counter('chat_http_requests_total', 'Requests answered.', labels);
  return (tookMs) => {
    count.add();
    seconds.observe(tookMs / 1000);
  };
}
