// The zone in which the lines are written, by name.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, suite, test } from 'node:test';
import { findTimeZone } from '../../../lib/config/time-zone.ts';
import { makeTempFolder } from '../../support/paths.ts';

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
    for (const zone of ['europe/berlin', 'est', 'asia/kathmandu', '+02:00', '-03:30']) {
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

  test('is refused if it is an offset, which is no name', () => {
    process.env.TZ = '+00:00';
    assert.equal(findTimeZone('+00:00'), undefined);
  });
});

suite('without TZ, the zone', () => {
  test('is the one that the system’s link leads to', () => {
    for (const [folder, zone] of [
      ['usr/share/zoneinfo', 'Europe/Berlin'],
      ['usr/share/zoneinfo/posix', 'Asia/Kolkata'],
      ['var/db/timezone/tz/2026a/zoneinfo', 'America/Argentina/Ushuaia'],
      ['usr/share/zoneinfo', 'Etc/UTC'],
    ] as const) {
      process.env.TZ = zone;
      assert.equal(findTimeZone(undefined, makeLink(folder, zone)), zone);
    }
  });

  test('is the engine’s if the link leads to a zone in which Date does not write', () => {
    process.env.TZ = 'UTC';
    assert.equal(findTimeZone(undefined, makeLink('usr/share/zoneinfo', 'Mars/Olympus')), 'UTC');
  });

  test('is the engine’s if there is no such link', () => {
    process.env.TZ = 'Europe/Berlin';
    const file = join(makeTempFolder('zone'), 'localtime');
    assert.equal(findTimeZone(undefined, file), 'Europe/Berlin');
    writeFileSync(file, 'TZif2');
    assert.equal(findTimeZone(undefined, file), 'Europe/Berlin');
  });

  test('is UTC if the engine knows no name for it', () => {
    process.env.TZ = '';
    assert.equal(findTimeZone(undefined, join(makeTempFolder('zone'), 'localtime')), 'UTC');
  });
});

/** Makes a zone's file below a folder, and a link that leads to it. */
function makeLink(folder: string, zone: string): string {
  const root = makeTempFolder('zone');
  const file = join(root, folder, zone);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'TZif2');
  symlinkSync(file, join(root, 'localtime'));
  return join(root, 'localtime');
}
