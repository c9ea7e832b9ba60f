// Counters and histograms as Prometheus text (exposition format 0.0.4).
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { COUNT_BOUNDS, Registry, SECONDS_BOUNDS } from '../../../lib/ops/metrics.ts';

/** Reads samples; fails on a line that the format does not have. */
function readSamples(text: string): Map<string, number> {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line ends too');
  const samples = new Map<string, number>();
  const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
  const sample = new RegExp(`^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\\{${label}(?:,${label})*\\})?) (\\S+)$`);
  for (const line of text.split('\n').slice(0, -1)) {
    if (/^# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* \S/.test(line)) continue;
    const match = sample.exec(line);
    assert.ok(match !== null, line);
    assert.ok(!samples.has(match[1]!), `twice: ${match[1]}`);
    assert.ok(Number.isFinite(Number(match[2])), line);
    samples.set(match[1]!, Number(match[2]));
  }
  return samples;
}

suite('a counter', () => {
  test('adds up, by one unless told', () => {
    const registry = new Registry();
    const counter = registry.counter('a_total', 'What it counts.');
    counter.add();
    counter.add(2.5);
    assert.equal(
      registry.show(),
      '# HELP a_total What it counts.\n# TYPE a_total counter\na_total 3.5\n',
    );
  });

  test('is the same one for the same name and labels, another for others', () => {
    const registry = new Registry();
    const one = registry.counter('a_total', 'A.', { method: 'GET', status: '200' });
    assert.equal(registry.counter('a_total', 'A.', { method: 'GET', status: '200' }), one);
    assert.notEqual(registry.counter('a_total', 'A.', { method: 'GET', status: '404' }), one);
    one.add();
    const samples = readSamples(registry.show());
    assert.equal(samples.get('a_total{method="GET",status="200"}'), 1);
    assert.equal(samples.get('a_total{method="GET",status="404"}'), 0);
    assert.equal(registry.show().match(/# TYPE/g)?.length, 1, 'one head for a family');
  });

  test('keeps its page whole, whatever a label says', () => {
    const registry = new Registry();
    registry.counter('a_total', 'A.', { path: '"}\n\\evil 1\n' }).add();
    assert.equal(readSamples(registry.show()).size, 1);
  });
});

suite('a histogram', () => {
  test('counts a value in every bucket whose bound it does not pass', () => {
    const registry = new Registry();
    const histogram = registry.histogram('h', 'H.', [1, 2, 5]);
    for (const value of [0, 1, 1.5, 2, 5, 5.1, 100]) histogram.observe(value);
    assert.deepEqual(Object.fromEntries(readSamples(registry.show())), {
      'h_bucket{le="1"}': 2,
      'h_bucket{le="2"}': 4,
      'h_bucket{le="5"}': 5,
      'h_bucket{le="+Inf"}': 7,
      h_sum: 114.6,
      h_count: 7,
    });
  });

  test('has bounds that rise', () => {
    for (const bounds of [SECONDS_BOUNDS, COUNT_BOUNDS]) {
      assert.deepEqual(
        [...new Set(bounds)].sort((one, other) => one - other),
        bounds,
      );
    }
  });
});

suite('a sample', () => {
  test('is read when the page is asked for', () => {
    const registry = new Registry();
    let value = 1;
    registry.sample('g', 'G.', 'gauge', () => value);
    assert.equal(readSamples(registry.show()).get('g'), 1);
    value = 2e-7;
    assert.equal(readSamples(registry.show()).get('g'), 2e-7);
    assert.match(registry.show(), /^# TYPE g gauge$/m);
  });
});
