/** A route: how it answers, and what all routes work with. */
import type { ServerResponse } from 'node:http';
import type { Hub } from '../live/hub.ts';
import type { Log } from '../ops/log.ts';
import type { Registry } from '../ops/metrics.ts';
import type { Store } from '../store/store.ts';
import type { Assets } from './assets.ts';
import type { SharedSnapshots } from './request-batch.ts';
import type { Reply } from './response/reply.ts';
import type { Target } from './router.ts';

/** What the application is made of. */
export interface AppParts {
  readonly store: Store;
  readonly live: Hub;
  readonly assets: Assets;
  readonly reply: Reply;
  readonly registry: Registry;
  readonly log: Log;
  /** What `Chat-Time-Zone` says: an IANA name. */
  readonly timeZone: string;
  readonly isDraining: () => boolean;
}

/**
 * Answers the requests of one route.
 *
 * @param snapshots the rooms as they stand in this tick
 * @throws ServiceError to refuse the request, by the table in `response/reply.ts`
 */
export type Route = (
  parts: AppParts,
  target: Target,
  response: ServerResponse,
  snapshots: SharedSnapshots,
) => void | Promise<void>;
