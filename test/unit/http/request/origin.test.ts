// Whether another site's page is behind a POST (contract §4, 403).
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { suite, test } from 'node:test';
import { findOriginFault } from '../../../../lib/http/request/origin.ts';

const cases: Record<'own' | 'foreign', IncomingHttpHeaders[]> = {
  own: [
    {},
    { host: 'chat.example' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example', host: 'chat.example' },
    { origin: 'http://chat.example', host: 'chat.example' },
    { origin: 'https://chat.example', host: 'chat.example' },
    { origin: 'https://chat.example', host: 'chat.example:443' },
    { origin: 'http://chat.example', host: 'chat.example:80' },
    { origin: 'http://chat.example:8080', host: 'chat.example:8080' },
    { origin: 'http://CHAT.example', host: 'chat.EXAMPLE' },
    { origin: 'http://[::1]:8080', host: '[::1]:8080' },
    { origin: 'http://127.0.0.1:8080', host: '127.0.0.1:8080' },
    { origin: 'https://chat.example', host: 'chat:8080', 'x-forwarded-host': 'chat.example' },
    { origin: 'http://chat.example:81', host: 'a', 'x-forwarded-host': 'b, chat.example:81' },
  ],
  foreign: [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': '' },
    { 'sec-fetch-site': 'SAME-ORIGIN' },
    { 'sec-fetch-site': 'same-origin, cross-site' },
    { 'sec-fetch-site': 'cross-site', origin: 'http://chat.example', host: 'chat.example' },
    { origin: 'null', host: 'chat.example' },
    { origin: '', host: 'chat.example' },
    { origin: 'http://chat.example' },
    { origin: 'http://evil.example', host: 'chat.example' },
    { origin: 'http://chat.example:8081', host: 'chat.example:8080' },
    { origin: 'http://chat.example:8080', host: 'chat.example' },
    { origin: 'https://chat.example', host: 'chat.example:80' },
    { origin: 'http://chat.example.evil.example', host: 'chat.example' },
    { origin: 'http://evilchat.example', host: 'chat.example' },
    { origin: 'http://chat.example@evil.example', host: 'chat.example' },
    { origin: 'file://', host: 'chat.example' },
    { origin: 'chat.example', host: 'chat.example' },
    { origin: 'http://chat.example', host: '' },
    { origin: 'http://chat.example', host: 'chat.example:x' },
    { origin: 'http://chat.example', host: 'chat:8080', 'x-forwarded-host': 'other.example' },
    { origin: 'http://chat.example', host: 'chat:8080', 'x-forwarded-host': '' },
    { 'sec-fetch-site': 'cross-site', origin: 'http://a', host: 'b', 'x-forwarded-host': 'a' },
  ],
};

for (const [kind, list] of Object.entries(cases)) {
  suite(`a request of ${kind === 'own' ? 'this site or of no browser' : 'another site'}`, () => {
    for (const headers of list) {
      test(`is known by ${JSON.stringify(headers)}`, () => {
        assert.equal(findOriginFault(headers) !== undefined, kind === 'foreign');
      });
    }
  });
}

test('the refusal names what was compared, and what a proxy has to hand on', () => {
  const origin = 'https://chat.example';
  const line = findOriginFault({ origin, host: 'chat:8080', 'x-forwarded-host': 'x\u00ff' });
  for (const value of [
    'Origin "https://chat.example"',
    'Host "chat:8080"',
    'Forwarded-Host "x?"',
  ]) {
    assert.ok(line?.includes(value), line);
  }
  assert.match(line ?? '', /let a proxy hand on the Host/);
  assert.match(findOriginFault({ 'sec-fetch-site': 'same-site' }) ?? '', /is "same-site"/);
});
