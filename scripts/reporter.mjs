// A reporter for node --test that keeps only what scripts/test.mjs sums up: one JSON line for each
// test that was skipped or failed, and at last the counts.

/** Turns the runner's events into JSON lines. */
export default async function* summarize(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite' && type === 'test:pass') continue;
    const outcome = toOutcome(type, data);
    counts[outcome] += 1;
    if (outcome === 'passed') continue;
    const reason = data.skip ?? data.todo ?? '';
    yield `${JSON.stringify({ outcome, name: data.name, file: data.file, reason })}\n`;
  }
  yield `${JSON.stringify({ counts })}\n`;
}

function toOutcome(type, data) {
  // A to-do is a skip with another name: it proves nothing either.
  if (data.skip !== undefined || data.todo !== undefined) return 'skipped';
  return type === 'test:pass' ? 'passed' : 'failed';
}
