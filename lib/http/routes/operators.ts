/** The operators' pages: healthy, ready and metrics (contract §8). */
import type { ServerResponse } from 'node:http';
import type { Registry } from '../../ops/metrics.ts';
import type { Store } from '../../store/store.ts';
import type { Reply } from '../response/reply.ts';
import type { Target } from '../router.ts';

/** What the operators' pages show. */
export interface OperatorParts {
  readonly store: Store;
  readonly registry: Registry;
  readonly reply: Reply;
  readonly isDraining: () => boolean;
}

const NO_STORE = ['Cache-Control', 'no-store'] as const;
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';

/** Says that the process serves. */
export function sendHealthy(
  { reply }: OperatorParts,
  _target: Target,
  response: ServerResponse,
): void {
  reply.text(response, 200, 'healthy', NO_STORE);
}

/**
 * Says whether the store takes messages and no drain has begun.
 *
 * @throws ServiceError `unavailable` with the reason if the store takes none
 */
export async function sendReady(
  { store, reply, isDraining }: OperatorParts,
  _target: Target,
  response: ServerResponse,
): Promise<void> {
  if (isDraining()) {
    const fields = [...NO_STORE, 'Retry-After', '1'];
    return reply.text(response, 503, 'not ready: the server is shutting down', fields);
  }
  await store.check();
  reply.text(response, 200, 'ready', NO_STORE);
}

/** Shows the metrics as Prometheus text. */
export function sendMetrics(
  { registry, reply }: OperatorParts,
  _target: Target,
  response: ServerResponse,
): void {
  reply.send(response, 200, ['Content-Type', PROMETHEUS, ...NO_STORE], registry.show());
}
