// The zone in which the lines are written, by name.
import assert from 'node:assert/strict';
import { afterEach, suite, test } from 'node:test';
import { findTimeZone } from '../../../lib/config/time-zone.ts';

const own = process.env.TZ;

afterEach(() => {
  if (own === undefined) delete process.env.TZ;
  else process.env.TZ = own;
});

suite('a zone that TZ names', () => {
  test('is taken if Date writes in it', () => {
    for (const zone of ['UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'EST', 'EST5EDT', 'Etc/GMT-2']) {
      process.env.TZ = zone;
      assert.equal(findTimeZone(zone), zone);
    }
  });

  test('is refused if Date writes in UTC instead, though Intl knows it', () => {
    for (const zone of ['europe/berlin', 'est', 'asia/kathmandu', '+02:00', '-03:30', '+00:00']) {
      process.env.TZ = zone;
      assert.equal(findTimeZone(zone), undefined, zone);
    }
  });

  test('is refused if Intl does not know it, though Date writes in it', () => {
    for (const zone of ['GMT+2', ':Europe/Berlin', 'posix/Europe/Berlin']) {
      process.env.TZ = zone;
      assert.equal(findTimeZone(zone), undefined, zone);
    }
  });
});

test('without TZ the zone is the engine’s, and UTC if it knows no name for it', () => {
  process.env.TZ = 'Europe/Berlin';
  assert.equal(findTimeZone(undefined), 'Europe/Berlin');
  process.env.TZ = '';
  assert.equal(findTimeZone(undefined), 'UTC');
});
