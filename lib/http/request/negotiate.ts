/** Fields with media types and preferences: Content-Type, Accept, Accept-Encoding. */

/** A media type with its parameters (RFC 9110 §8.3.1). */
export interface MediaType {
  /** `type/subtype` in lower case. */
  readonly type: string;
  /** Parameters by name in lower case; of a repeated one the first. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(
  `;[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?[ \\t]*`,
  'y',
);
const TYPE = new RegExp(`^[ \\t]*(${TOKEN}/${TOKEN})[ \\t]*`);

/** Reads a media type; returns `undefined` if it is malformed. */
export function parseMediaType(field: string): MediaType | undefined {
  const match = TYPE.exec(field);
  if (match === null) return undefined;
  const parameters = new Map<string, string>();
  let at = match[0].length;
  while (at < field.length) {
    PARAMETER.lastIndex = at;
    const parameter = PARAMETER.exec(field);
    if (parameter === null) return undefined;
    const [, name, token, quoted] = parameter;
    if (name !== undefined && !parameters.has(name.toLowerCase())) {
      parameters.set(name.toLowerCase(), token ?? quoted!.replace(/\\(.)/gs, '$1'));
    }
    at = PARAMETER.lastIndex;
  }
  return { type: match[1]!.toLowerCase(), parameters };
}

/**
 * Reads a list of preferences.
 *
 * @param field as sent, as `text/html, text/*;q=0.5`
 * @returns the weight of each name in lower case, 0 to 1
 */
export function parseWeights(field: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const element of field.split(',')) {
    const [name, ...parameters] = element.split(';').map((part) => part.trim().toLowerCase());
    if (name === undefined || name === '') continue;
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    const value = weight === undefined ? 1 : /^[01](\.\d{0,3})?$/.test(weight) ? Number(weight) : 0;
    weights.set(name, Math.min(1, value));
  }
  return weights;
}

/** Whether Accept names a type, not only by a `*`, and ranks it no lower than `text/plain`. */
export function prefers(accept: string | undefined, type: string): boolean {
  if (accept === undefined || !accept.toLowerCase().includes(type)) return false;
  const weights = parseWeights(accept);
  const weight = weights.get(type) ?? 0;
  return weight > 0 && weight >= weigh(weights, 'text/plain');
}

/**
 * Picks a content coding (RFC 9110 §12.5.3).
 *
 * @param codings the codings that there are, the best first
 * @returns the coding of the greatest weight, or `undefined` for none
 */
export function pickCoding<T extends string>(
  field: string | undefined,
  codings: readonly T[],
): T | undefined {
  if (field === undefined) return undefined;
  const weights = parseWeights(field);
  let best: T | undefined;
  // `identity` stands for no coding; if it is named, its weight counts too.
  const least = weights.get('identity') ?? 0;
  let most = 0;
  for (const coding of codings) {
    const weight = weights.get(coding) ?? weights.get('*') ?? 0;
    if (weight > most && weight >= least) {
      best = coding;
      most = weight;
    }
  }
  return best;
}

function weigh(weights: Map<string, number>, type: string): number {
  return weights.get(type) ?? weights.get(type.replace(/\/.*/, '/*')) ?? weights.get('*/*') ?? 0;
}
