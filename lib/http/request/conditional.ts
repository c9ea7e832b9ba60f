/**
 * Conditional requests and ranges: pure functions after RFC 9110 §13 and §14.
 *
 *     entity-tag  = [ "W/" ] DQUOTE *etagc DQUOTE      ; §8.8.3
 *     If-Match    = "*" / #entity-tag                  ; §13.1.1, strong comparison
 *     If-None-Match = "*" / #entity-tag                ; §13.1.2, weak comparison
 *     If-Range    = entity-tag / HTTP-date             ; §13.1.5, strong comparison
 *     Range       = "bytes=" 1#( first "-" [ last ] / "-" suffix-length )   ; §14.2
 */
import type { IncomingHttpHeaders } from 'node:http';

/** A part of a representation: from its first byte to the one after its last. */
interface ByteRange {
  readonly from: number;
  readonly to: number;
}

const TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;
/** Tags between commas; an element may be empty (RFC 9110 §5.6.1.2). */
const TAGS = new RegExp(`^(?:[ \\t]*(?:${TAG.source}[ \\t]*)?(?:,|$))*$`);
const RANGES = /^bytes=(?![ \t])(.*)$/is;
const ONE_RANGE = /^(?:(\d+)-(\d*)|-(\d+))$/;

/** Evaluates If-Match, then If-None-Match, for GET and HEAD (RFC 9110 §13.2.2). */
export function evaluate(
  headers: IncomingHttpHeaders,
  etag: string,
): 'proceed' | 'not-modified' | 'failed' {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && !matchesTag(ifMatch, etag, 'strong')) return 'failed';
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && matchesTag(ifNoneMatch, etag, 'weak')) return 'not-modified';
  return 'proceed';
}

/**
 * Whether a field's list of entity tags contains this one. A malformed list matches nothing.
 *
 * @param field `*` or a list
 * @param comparison strong: weak tags in the list never match (RFC 9110 §8.8.3.2)
 */
export function matchesTag(field: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  const list = trimBlanks(field);
  if (list === '*' || list === etag) return true;
  if (!TAGS.test(list)) return false;
  const tags = [...list.matchAll(TAG)];
  return tags.some(([, weak, tag]) => tag === etag && !(weak && comparison === 'strong'));
}

/**
 * Reads a Range field against a representation.
 *
 * @returns the range; `unsatisfiable` (416); or `undefined` if the field is to be ignored: another
 *   unit, malformed, several ranges (RFC 9110 §14.2 lets a server ignore those), or a suffix of an
 *   empty text, which is answered with all of it
 */
export function parseRange(
  field: string,
  sizeBytes: number,
): ByteRange | 'unsatisfiable' | undefined {
  const specs = RANGES.exec(field)?.[1]?.split(',');
  // A list may have empty elements (RFC 9110 §5.6.1.2).
  const [spec, ...more] = (specs ?? []).map(trimBlanks).filter((text) => text !== '');
  if (spec === undefined || more.length > 0) return undefined;
  const match = ONE_RANGE.exec(spec);
  if (match === null) return undefined;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) return toSuffix(Number(suffix), sizeBytes);
  const from = Number(first);
  const to = last === '' ? Number.POSITIVE_INFINITY : Number(last) + 1;
  if (to - 1 < from) return undefined;
  return from < sizeBytes ? { from, to: Math.min(to, sizeBytes) } : 'unsatisfiable';
}

/**
 * Whether a Range field counts beside this If-Range: only the same strong tag allows it, never a date,
 * as rooms have none.
 */
export function allowsRange(ifRange: string | undefined, etag: string): boolean {
  return ifRange === undefined || trimBlanks(ifRange) === etag;
}

/** Removes optional white space (RFC 9110 §5.6.3), which is less than what `trim` removes. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}

function toSuffix(length: number, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  if (length === 0) return 'unsatisfiable';
  if (sizeBytes === 0) return undefined;
  return { from: Math.max(0, sizeBytes - length), to: sizeBytes };
}
