/** What a store counts, for the page of metrics. */
import { COUNT_BOUNDS, type Registry, SECONDS_BOUNDS } from '../ops/metrics.ts';
import type { Receipt } from './store.ts';

/** The counters and histograms of a store. */
export interface StoreMetrics extends ReturnType<typeof createStoreMetrics> {}

/** Registers a store's metrics. */
export function createStoreMetrics(registry: Registry) {
  const seconds = SECONDS_BOUNDS;
  return {
    messages: registry.counter('chat_messages_stored_total', 'Messages stored.'),
    bytes: registry.counter('chat_bytes_stored_total', 'Bytes of lines stored.'),
    batches: registry.histogram('chat_batch_messages', 'Messages a batch.', COUNT_BOUNDS),
    syncs: registry.histogram('chat_fsync_seconds', 'Time of a sync to disk.', seconds),
    lockWaits: registry.histogram('chat_lock_wait_seconds', 'Time to acquire a lock.', seconds),
    broken: registry.counter('chat_stale_locks_broken_total', 'Stale locks broken.'),
    errors: registry.counter('chat_store_errors_total', 'Failures of the store.'),
  };
}

/**
 * Counts what was stored of a batch.
 *
 * @returns whether that is anything
 */
export function countBatch(metrics: StoreMetrics, receipts: readonly Receipt[]): boolean {
  if (receipts.length === 0) return false;
  metrics.batches.observe(receipts.length);
  metrics.messages.add(receipts.length);
  metrics.bytes.add(receipts.reduce((sum, { line }) => sum + Buffer.byteLength(line), 0));
  return true;
}
