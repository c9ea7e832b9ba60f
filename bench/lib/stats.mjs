// Medians and their spread.

/** The value below which a share of the values lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** The median. */
export function median(values) {
  return quantile(values, 0.5);
}

/** Median, and the quartiles around it. */
export function summarize(values) {
  return { median: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/** Divides round by round, so that what slowed both down cancels out. */
export function toRatios(ours, theirs) {
  return ours.map((value, index) => value / theirs[index]);
}
