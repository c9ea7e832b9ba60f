// Counting answers: by route, method and status, in bounded number.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createObserver } from '../../../lib/http/request-metrics.ts';
import { Registry } from '../../../lib/ops/metrics.ts';

test('answers are counted by route, method and status, each with its time', () => {
  const registry = new Registry();
  const observe = createObserver(registry);
  observe('room', 'GET', 200, 1);
  observe('room', 'GET', 200, 3000);
  observe('room', 'GET', 304, 1);
  observe('page', 'HEAD', 200, 1);
  const text = registry.show();
  const labels = 'route="room",method="GET",status="200"';
  assert.ok(text.includes(`chat_http_requests_total{${labels}} 2\n`), text);
  assert.ok(text.includes(`chat_http_request_seconds_count{${labels}} 2\n`));
  assert.ok(text.includes(`chat_http_request_seconds_sum{${labels}} 3.001\n`));
  assert.ok(text.includes('chat_http_requests_total{route="room",method="GET",status="304"} 1\n'));
  assert.ok(text.includes('chat_http_requests_total{route="page",method="HEAD",status="200"} 1\n'));
});

test('a method that nobody knows has no line of its own: anybody can make them up', () => {
  const registry = new Registry();
  const observe = createObserver(registry);
  for (let n = 0; n < 1000; n += 1) observe('none', `METHOD${n}`, 405, 1);
  const lines = registry
    .show()
    .split('\n')
    .filter((line) => line.startsWith('chat_http_requests_total{'));
  assert.deepEqual(lines, [
    'chat_http_requests_total{route="none",method="other",status="405"} 1000',
  ]);
});
