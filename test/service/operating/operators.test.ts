// Contract §8: what operators see.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { before, suite, test } from 'node:test';
import { get, post, postBody, read } from '../../support/http.ts';
import { type Server, startServer } from '../../support/server.ts';

let server: Server;
before(async () => {
  server = await startServer();
});

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

interface Metrics {
  types: Map<string, string>;
  samples: Sample[];
}

/** Parses Prometheus' text format 0.0.4, strictly. */
function parseMetrics(text: string): Metrics {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    const type = /^# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram|summary)$/i.exec(line);
    if (type) {
      assert.ok(!types.has(type[1]!), `${type[1]} has one TYPE line`);
      types.set(type[1]!, type[2]!);
    } else if (!/^# HELP [a-z_:][a-z0-9_:]* \S.*$/i.test(line)) {
      samples.push(parseSample(line));
    }
  }
  return { types, samples };
}

function parseSample(line: string): Sample {
  const match = /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)$/i.exec(line);
  assert.ok(match, `a line of no format: ${line}`);
  const pairs = [...(match[2] ?? '').matchAll(/([a-z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gi)];
  const labels = Object.fromEntries(pairs.map((pair) => [pair[1]!, pair[2]!]));
  const value = match[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(match[3]);
  assert.ok(!Number.isNaN(value), line);
  return { name: match[1]!, labels, value };
}

async function readMetrics(from = server): Promise<Metrics> {
  return parseMetrics((await get(from, '/-/metrics')).text);
}

/** Sums up what grew between two readings, for samples that the pattern and labels choose. */
function sum(metrics: Metrics, name: RegExp, labels: Record<string, string> = {}): number {
  const chosen = metrics.samples.filter(
    (sample) =>
      name.test(sample.name) &&
      Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return chosen.reduce((total, { value }) => total + value, 0);
}

suite('/-/healthy and /-/ready', () => {
  test('are 200 while the process serves and the store takes writes', async () => {
    for (const path of ['/-/healthy', '/-/ready']) {
      const { status, headers, text } = await get(server, path);
      assert.equal(status, 200);
      assert.match(headers['content-type'] ?? '', /^text\/plain/);
      assert.match(text, /^[^\n]+\n$/);
    }
  });

  test('ready is 503 with the reason while the folder can’t be written, and 200 after', async () => {
    const own = await startServer();
    const away = `${own.store}-away`;
    // Root may write anywhere: a file in the folder's place stops root, too.
    renameSync(own.store, away);
    writeFileSync(own.store, '');
    const { status, text } = await get(own, '/-/ready');
    assert.equal(status, 503);
    assert.match(text, /^[^\n]{10,}\n$/);
    assert.equal((await get(own, '/-/healthy')).status, 200);
    const refused = await post(own, 'a', { username: 'a', message: 'm' });
    assert.equal(refused.status, 503, refused.text);
    assert.match(refused.headers['retry-after'] ?? '', /^\d+$/);
    rmSync(own.store);
    renameSync(away, own.store);
    assert.equal((await get(own, '/-/ready')).status, 200);
    assert.equal((await post(own, 'a', { username: 'a', message: 'm' })).status, 201);
    await own.stop();
  });

  test('ready is 503 as soon as a message could not be stored, and 200 after', async () => {
    const own = await startServer();
    assert.equal((await get(own, '/-/ready')).status, 200);
    rmSync(own.store, { recursive: true });
    writeFileSync(own.store, '');
    assert.equal((await post(own, 'a', { username: 'a', message: 'm' })).status, 503);
    assert.equal((await get(own, '/-/ready')).status, 503);
    rmSync(own.store);
    mkdirSync(own.store);
    assert.equal((await get(own, '/-/ready')).status, 200);
    await own.stop();
  });
});

suite('/-/metrics', () => {
  test('is Prometheus text, each sample under a TYPE', async () => {
    const answer = await get(server, '/-/metrics');
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'] ?? '', /^text\/plain; *version=0\.0\.4/);
    const { types, samples } = parseMetrics(answer.text);
    for (const { name } of samples) {
      const base = name.replace(/_(bucket|sum|count)$/, '');
      assert.ok(types.has(name) || types.get(base) === 'histogram', `${name} has a TYPE`);
    }
  });

  test('counts requests by route, method and status', async () => {
    const before = await readMetrics();
    for (let n = 0; n < 3; n += 1) await read(server, `counted-${n}`);
    await postBody(server, '/api/chat/counted', 'username=a&message=m');
    await postBody(server, '/chat/counted', 'username=&message=m');
    await get(server, '/none/such');
    const after = await readMetrics();
    const grown = (labels: Record<string, string>) =>
      sum(after, /requests_total$/, labels) - sum(before, /requests_total$/, labels);
    assert.equal(
      grown({ method: 'GET', status: '200' }),
      4,
      'three reads and one reading of these',
    );
    assert.equal(grown({ method: 'POST', status: '201' }), 1);
    assert.equal(grown({ method: 'POST', status: '400' }), 1);
    assert.equal(grown({ status: '404' }), 1);
    const counted = after.samples.find(({ name }) => /requests_total$/.test(name));
    assert.ok(counted?.labels.route, 'a route');
  });

  test('has no room, path, username or message in it: its size is bounded', async () => {
    for (let n = 0; n < 50; n += 1) {
      await post(server, `labelroom-${n}`, { username: 'labeluser', message: 'labelmessage' });
      await get(server, `/labelpage-${n}`);
      await get(server, `/label/none/${n}`);
    }
    await get(server, '/', { 'user-agent': 'labelagent' });
    assert.doesNotMatch(
      (await get(server, '/-/metrics')).text,
      /label(room|user|me|pa|agent)|\/label/,
    );
  });

  test('counts messages and bytes stored', async () => {
    const before = await readMetrics();
    const { body } = await post(server, 'bytes', { username: 'a', message: 'שלום' });
    const after = await readMetrics();
    const grown = (name: RegExp) => sum(after, name) - sum(before, name);
    assert.equal(grown(/messages[a-z_]*_total$/), 1);
    assert.equal(
      grown(
        /(stored|appended|written)[a-z_]*bytes[a-z_]*_total$|bytes_(stored|appended|written)_total$/,
      ),
      body.length,
    );
  });

  test('has the histograms: latency, batch size, fsync, lock wait', async () => {
    const { types, samples } = await readMetrics();
    const histograms = [...types].filter(([, type]) => type === 'histogram').map(([name]) => name);
    for (const what of [/request/, /batch/, /sync/, /lock/]) {
      const name = histograms.find((one) => what.test(one));
      assert.ok(name, `one of ${histograms} is ${what}`);
      assertHistogram(name, samples);
    }
  });

  test('has the gauges and counters of the contract', async () => {
    const { types } = await readMetrics();
    const names = [...types.keys()].join(' ');
    for (const what of [/stale_lock|locks?_broken|lock\w*stale/, /streams/, /store_errors/]) {
      assert.match(names, what);
    }
    for (const what of [/memory_bytes|resident/, /cpu_seconds/, /event_?loop\w*lag|eventloop/]) {
      assert.match(names, what);
    }
  });

  test('gives the process memory as the system sees it', async () => {
    const { samples } = await readMetrics();
    const resident = samples.find(({ name }) => /resident_memory_bytes$/.test(name));
    assert.ok(resident && resident.value > 10e6 && resident.value < 1e9, String(resident?.value));
  });
});

/** Buckets only rise, end with +Inf, and agree with the count, for each set of labels. */
function assertHistogram(name: string, samples: Sample[]): void {
  const series = new Map<string, Sample[]>();
  for (const sample of samples.filter((one) => one.name === `${name}_bucket`)) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  assert.ok(series.size > 0, `${name} has buckets`);
  let total = 0;
  for (const [key, buckets] of series) {
    const values = buckets.map(({ value }) => value);
    assert.deepEqual(
      values,
      [...values].sort((a, b) => a - b),
      `${name}${key} rises`,
    );
    assert.equal(buckets.at(-1)?.labels.le, '+Inf');
    const isSame = (one: Sample) => JSON.stringify(one.labels) === key;
    const count = samples.find((one) => one.name === `${name}_count` && isSame(one));
    assert.equal(count?.value, values.at(-1), `${name}_count${key}`);
    assert.ok(samples.some((one) => one.name === `${name}_sum` && isSame(one)));
    total += values.at(-1) ?? 0;
  }
  assert.ok(total > 0, `${name} has counted something`);
}
