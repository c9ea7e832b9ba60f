/** The operators' pages: healthy, ready and metrics (contract §8). */
import type { Route } from '../route.ts';

const NO_STORE = ['Cache-Control', 'no-store'] as const;
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';

/** Says that the process serves. */
export const sendHealthy: Route = ({ reply }, _, response) =>
  reply.text(response, 200, 'healthy', NO_STORE);

/** Says whether the store takes messages and no drain has begun. */
export const sendReady: Route = async ({ store, reply, isDraining }, _, response) => {
  if (isDraining()) {
    const fields = [...NO_STORE, 'Retry-After', '1'];
    return reply.text(response, 503, 'not ready: the server is shutting down', fields);
  }
  await store.check();
  reply.text(response, 200, 'ready', NO_STORE);
};

/** Shows the metrics as Prometheus text. */
export const sendMetrics: Route = ({ registry, reply }, _, response) =>
  reply.send(response, 200, ['Content-Type', PROMETHEUS, ...NO_STORE], registry.show());
