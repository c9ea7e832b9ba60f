// The real disk where it does more than node:fs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { isLocal, realDisk } from '../../../lib/disk/disk.ts';
import { need } from '../../support/need.ts';
import { makeTempFolder } from '../../support/paths.ts';

const makeFolder = (folder: string) => realDisk.mkdirSync(folder, { recursive: true });

/** Lets another process make a folder just after the call of this number. */
function makeAfterCall(t: TestContext, callNumber: number, folder: string): void {
  const { mkdirSync } = fs;
  let calls = 0;
  for (const name of ['mkdirSync', 'statSync'] as const) {
    const real = fs[name] as (...given: unknown[]) => unknown;
    t.mock.method(fs, name, (...given: unknown[]) => {
      try {
        return real(...given);
      } finally {
        calls += 1;
        if (calls === callNumber) mkdirSync(folder, { recursive: true });
      }
    });
  }
}

suite('making a folder', () => {
  test('makes those above it as well', () => {
    const top = makeTempFolder('disk');
    makeFolder(join(top, 'a', 'b', 'c'));
    assert.ok(fs.statSync(join(top, 'a', 'b', 'c')).isDirectory());
    makeFolder(join(top, 'a', 'b', 'c'));
  });

  for (const callNumber of [1, 2, 3, 4, 5, 6, 7]) {
    test(`succeeds whatever another process makes just after call ${callNumber}`, (t) => {
      for (const other of ['a', 'a/b', 'a/b/c']) {
        const top = makeTempFolder('disk');
        makeAfterCall(t, callNumber, join(top, other));
        makeFolder(join(top, 'a', 'b', 'c'));
        t.mock.restoreAll();
        assert.ok(fs.statSync(join(top, 'a', 'b', 'c')).isDirectory());
      }
    });
  }

  test('fails where a file stands in its place, or above it', () => {
    const file = join(makeTempFolder('disk'), 'file');
    fs.writeFileSync(file, '');
    assert.throws(() => makeFolder(file), { code: 'EEXIST' });
    assert.throws(() => makeFolder(join(file, 'a')), { code: 'ENOTDIR' });
  });

  test('fails where a folder refuses with ENOENT for ever', { skip: need('linux') }, () => {
    assert.throws(() => makeFolder('/proc/chat/rooms'), { code: 'ENOENT' });
  });
});

test('a folder counts as local only where its file system is known to be', () => {
  const onType = (type: number) => isLocal('/', { ...realDisk, statfsSync: () => ({ type }) });
  assert.deepEqual([onType(0xef53), onType(0x6969)], [true, false]);
  const failing = () => {
    throw new Error('failed on purpose');
  };
  assert.equal(isLocal('/', { ...realDisk, statfsSync: failing }), false);
});
