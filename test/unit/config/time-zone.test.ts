// The system's time zone by name.
import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findTimeZone } from '../../../lib/config/time-zone.ts';
import { makeTempFolder } from '../../support/paths.ts';

test('it is what the link of the system leads to', () => {
  const folder = makeTempFolder('zone');
  const targets = {
    '/usr/share/zoneinfo/Europe/Berlin': 'Europe/Berlin',
    '../usr/share/zoneinfo/posix/Asia/Kolkata': 'Asia/Kolkata',
    '/var/db/timezone/zoneinfo/America/Argentina/Ushuaia': 'America/Argentina/Ushuaia',
  };
  for (const [target, zone] of Object.entries(targets)) {
    const link = join(folder, zone.replaceAll('/', '-'));
    symlinkSync(target, link);
    assert.equal(findTimeZone(link), zone);
  }
});

test('where there is no such link, the engine is asked', () => {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const copy = join(makeTempFolder('zone'), 'localtime');
  assert.equal(findTimeZone(copy), timeZone);
  writeFileSync(copy, 'TZif2');
  assert.equal(findTimeZone(copy), timeZone);
});
