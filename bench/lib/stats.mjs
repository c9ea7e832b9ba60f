// Medians and their spread, and rows of results.

/** The value below which a share of the values lies. */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** The median. */
export function median(values) {
  return quantile(values, 0.5);
}

/** The median, and the quartiles around it. */
export function summarize(values) {
  return { median: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/**
 * A row that compares: divided round by round, so that what slowed both down cancels out.
 *
 * @param {{ ours: number[], theirs: number[], least?: number, most?: number }} row measurements by
 *   round, and the bound of the ratio
 */
export function compare({ ours, theirs, least, most, ...row }) {
  const ratio = summarize(ours.map((value, index) => value / theirs[index]));
  const isMet = least === undefined ? ratio.median <= most : ratio.median >= least;
  const target = least === undefined ? `≤ ${most}` : `≥ ${least}`;
  return { ...row, ours: summarize(ours), theirs: summarize(theirs), ratio, target, isMet };
}

/** A row with a bound of its own. */
export function limit({ ours, most, ...row }) {
  const summary = summarize(ours);
  return { ...row, ours: summary, target: `≤ ${most}`, isMet: summary.median <= most };
}

/** Fails where something is not so. */
export function ensure(isTrue, what) {
  if (!isTrue) throw new Error(`not so: ${what}`);
}
