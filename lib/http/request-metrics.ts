/** Counting answers for the metrics page. */
import { type Labels, type Registry, SECONDS_BOUNDS } from '../ops/metrics.ts';

/** What a client invents counts as the last of them. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'other'] as const;
const OTHER = METHODS.length - 1;
const NUMBERS = new Map<string, number>(METHODS.map((method, number) => [method, number]));

type Observe = (tookMs: number) => void;

/**
 * Makes the counter of answers, by route, method and status, with their times.
 *
 * @param registry where they are shown
 */
export function createObserver(registry: Registry) {
  const routes = new Map<string, Map<number, Observe>>();
  return (route: string, sentMethod: string, status: number, tookMs: number): void => {
    let known = routes.get(route);
    if (known === undefined) {
      known = new Map();
      routes.set(route, known);
    }
    // A number, as text put together for every request would cost more than the counting.
    const number = NUMBERS.get(sentMethod) ?? OTHER;
    const key = status * METHODS.length + number;
    let observe = known.get(key);
    if (observe === undefined) {
      observe = toObserve(registry, { route, method: METHODS[number]!, status: String(status) });
      known.set(key, observe);
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
