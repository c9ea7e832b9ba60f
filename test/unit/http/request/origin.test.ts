// Whether another site's page is behind a POST (contract §4, 403).
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { suite, test } from 'node:test';
import { isForeign } from '../../../../lib/http/request/origin.ts';

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
  ],
};

for (const [kind, list] of Object.entries(cases)) {
  suite(`a request of ${kind === 'own' ? 'this site or of no browser' : 'another site'}`, () => {
    for (const headers of list) {
      test(`is known by ${JSON.stringify(headers)}`, () => {
        assert.equal(isForeign(headers), kind === 'foreign');
      });
    }
  });
}
