/**
 * Conditional requests and ranges: pure functions after RFC 9110 §13 and §14.
 *
 *     entity-tag  = [ "W/" ] DQUOTE *etagc DQUOTE      ; §8.8.3
 *     If-Match    = "*" / #entity-tag                  ; §13.1.1, strong comparison
 *     If-None-Match = "*" / #entity-tag                ; §13.1.2, weak comparison
 *     If-Range    = entity-tag / HTTP-date             ; §13.1.5, strong comparison
 *     Range       = "bytes=" 1#( first "-" [ last ] / "-" suffix-length )   ; §14.2
 */

/** What the preconditions of a request say. */
export type Verdict = 'proceed' | 'not-modified' | 'failed';

/** The request's fields that matter here, as Node gives them. */
export interface Preconditions {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

/** A part of a representation: from its first byte to the one after its last. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

const TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/y;
const SEPARATOR = /[ \t]*(?:,[ \t]*)+/y;
const RANGES = /^bytes=(?![ \t])(.*)$/is;
const ONE_RANGE = /^(?:(\d+)-(\d*)|-(\d+))$/;

/**
 * Evaluates If-Match, then If-None-Match, for GET and HEAD (RFC 9110 §13.2.2).
 *
 * @param fields the request's fields
 * @param etag the current strong entity tag with its quotes
 */
export function evaluate(fields: Preconditions, etag: string): Verdict {
  const ifMatch = fields['if-match'];
  if (ifMatch !== undefined && !matchesTag(ifMatch, etag, 'strong')) return 'failed';
  const ifNoneMatch = fields['if-none-match'];
  if (ifNoneMatch !== undefined && matchesTag(ifNoneMatch, etag, 'weak')) return 'not-modified';
  return 'proceed';
}

/**
 * Whether a field's list of entity tags has this one in it. A malformed list matches nothing.
 *
 * @param field `*` or a list
 * @param etag a strong entity tag
 * @param comparison strong: weak tags in the list never match (RFC 9110 §8.8.3.2)
 */
export function matchesTag(field: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  const list = trimBlanks(field);
  if (list === '*' || list === etag) return true;
  const tags = parseTags(list);
  return tags.some(({ isWeak, tag }) => tag === etag && !(isWeak && comparison === 'strong'));
}

/**
 * Reads a Range field against a representation.
 *
 * @param field the field's value
 * @param sizeBytes the representation's length
 * @returns the range; `unsatisfiable` (416); or `undefined` where the field is to be ignored: another
 *   unit, malformed, several ranges (RFC 9110 §14.2 lets a server ignore those), or a suffix of an
 *   empty text, whose only answer is the whole of it
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
  if (isBefore(last, first)) return undefined;
  return from < sizeBytes ? { from, to: Math.min(to, sizeBytes) } : 'unsatisfiable';
}

/**
 * Whether a Range field counts, by If-Range: only the same strong tag lets it. A date never does, as
 * rooms carry none.
 */
export function allowsRange(ifRange: string | undefined, etag: string): boolean {
  return ifRange === undefined || trimBlanks(ifRange) === etag;
}

/** Takes optional white space away (RFC 9110 §5.6.3), and not what else `trim` takes for white. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}

function toSuffix(length: number, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  if (length === 0) return 'unsatisfiable';
  if (sizeBytes === 0) return undefined;
  return { from: Math.max(0, sizeBytes - length), to: sizeBytes };
}

/** Compares digits, not doubles: both may be longer than a double is exact. */
function isBefore(last: string | undefined, first: string | undefined): boolean {
  return last !== undefined && last !== '' && BigInt(last) < BigInt(first ?? 0);
}

function parseTags(list: string): { isWeak: boolean; tag: string }[] {
  const tags: { isWeak: boolean; tag: string }[] = [];
  let at = skip(SEPARATOR, list, 0);
  while (at < list.length) {
    TAG.lastIndex = at;
    const match = TAG.exec(list);
    if (match === null) return [];
    tags.push({ isWeak: match[1] !== undefined, tag: match[2]! });
    const next = skip(SEPARATOR, list, TAG.lastIndex);
    if (next === TAG.lastIndex && next < list.length) return [];
    at = next;
  }
  return tags;
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
