/** The table of routes: from a request target to the name of a route and its parameter. */
import { BoundedMap } from '../bounded-map.ts';
import { DEFAULT_ROOM, decodeSegment, findRoomFault } from '../room/name.ts';

const READ: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/** The methods that each route takes, as `Allow` names them; `undefined` stands for all. */
export const METHODS = {
  page: READ,
  room: ['GET', 'HEAD', 'POST', 'OPTIONS'] as readonly string[],
  'page-redirect': READ,
  'room-redirect': undefined,
  asset: READ,
  healthy: READ,
  ready: READ,
  metrics: READ,
} as const;

/** The routes by name; also the `route` label of the metrics. */
export type RouteName = keyof typeof METHODS;

/** Where a request goes. */
export interface Target {
  readonly route: RouteName;
  /** The room's name, the asset's path, or the path that a redirect leads to. */
  readonly argument: string;
  /** What is wrong with the room's name, if anything. */
  readonly fault?: string | undefined;
  readonly query: string;
}

type Match = Omit<Target, 'query'>;

/** Patterns of a path and the targets they lead to; the first that fits counts. */
const TABLE: readonly (readonly [pattern: RegExp, toMatch: (part: string) => Match])[] = [
  [/^\/(?:api\/)?chat\/([^/]+)$/, (part) => toRoom('room', part)],
  [/^\/(?:api\/)?chat\/()$|^\/api\/chat()$/, () => ({ route: 'room', argument: DEFAULT_ROOM })],
  [/^\/chat\/([^/]+)\/$/, (part) => toRedirect('room-redirect', '/chat/', part)],
  [/^\/api\/chat\/([^/]+)\/$/, (part) => toRedirect('room-redirect', '/api/chat/', part)],
  [/^\/()$/, () => ({ route: 'page', argument: DEFAULT_ROOM })],
  [/^\/([^/]+)$/, (part) => toRoom('page', part)],
  [/^\/([^/]+)\/$/, (part) => toRedirect('page-redirect', '/', part)],
  [/^\/static\/(.+)$/, (part) => ({ route: 'asset', argument: decodeSegment(part) ?? '' })],
  [/^\/-\/(healthy|ready|metrics)$/, (part) => ({ route: part as RouteName, argument: '' })],
];

/** The targets of recent requests: most requests are for one of a few. */
const recent = new BoundedMap<string, Target>({ maxEntries: 1024 });
const MAX_RECENT_CHARACTERS = 256;

/**
 * Finds the route of a request target (RFC 9112 §3.2: origin form, or absolute form from proxies).
 *
 * @returns `undefined` if there is no such route
 */
export function findTarget(url: string): Target | undefined {
  const found = recent.get(url);
  if (found !== undefined) return found;
  const target = toTarget(url);
  if (target !== undefined && url.length <= MAX_RECENT_CHARACTERS) recent.set(url, target);
  return target;
}

function toTarget(url: string): Target | undefined {
  // A target is ASCII, but some clients send UTF-8 without escaping it.
  const ascii = url.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  const origin = ascii.startsWith('/') ? ascii : toOriginForm(ascii);
  const mark = origin.indexOf('?');
  const path = mark === -1 ? origin : origin.slice(0, mark);
  const query = mark === -1 ? '' : origin.slice(mark + 1);
  for (const [pattern, toMatch] of TABLE) {
    const match = pattern.exec(path);
    if (match !== null) return { ...toMatch(match[1] ?? ''), query };
  }
  return undefined;
}

/** The path of a room's page. */
export function toPagePath(room: string): string {
  return `/${encodeURIComponent(room)}`;
}

function toRoom(route: RouteName, part: string): Match {
  const room = decodeSegment(part);
  if (room === undefined) {
    return { route, argument: '', fault: 'the room name is not percent-encoded UTF-8' };
  }
  return { route, argument: room, fault: findRoomFault(room) };
}

function toRedirect(route: RouteName, folder: string, part: string): Match {
  // A backslash must not reach the Location bare: browsers take "/\host" for another site.
  const safe = part.replace(/[^\w\-.~!$&'()*+,;=:@%]/g, encodeURIComponent);
  return { ...toRoom(route, part), argument: folder + safe };
}

function toOriginForm(url: string): string {
  const match = /^https?:\/\/[^/?#]*(.*)$/i.exec(url);
  if (match === null) return '*';
  return match[1]!.startsWith('/') ? match[1]! : `/${match[1]!}`;
}
