// A folder or a room that this process may not read or write. Root may do all, so the tests act as
// a user without rights where they run as root.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, type TestContext, test } from 'node:test';
import { Log } from '../../../../lib/ops/log.ts';
import { Registry } from '../../../../lib/ops/metrics.ts';
import { FolderStore } from '../../../../lib/store/folder/folder-store.ts';
import { need } from '../../../support/need.ts';
import { makeTempFolder } from '../../../support/paths.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

before(() => {
  if (isRoot) process.seteuid!(NOBODY);
});
after(() => {
  if (isRoot) process.seteuid!(0);
});

const say = (message: string) => ({ username: 'omri', message });

function open(t: TestContext, folder = makeTempFolder('rights')) {
  const lines: string[] = [];
  const log = new Log('debug', (line) => lines.push(line));
  const store = new FolderStore({ folder, durable: true, log, registry: new Registry() });
  t.after(() => store.close());
  return { folder, store, lines };
}

/** Takes rights away until the test is over. */
function restrict(t: TestContext, file: string, mode: number): void {
  const before = fs.statSync(file).mode;
  fs.chmodSync(file, mode);
  t.after(() => fs.chmodSync(file, before));
}

suite('a folder', { skip: need('linux') }, () => {
  test('that can’t be made is refused with the user who lacks the right', (t) => {
    const above = makeTempFolder('rights');
    restrict(t, above, 0o555);
    assert.throws(
      () => open(t, join(above, 'rooms')),
      (error: NodeJS.ErrnoException) =>
        error.code === 'EACCES' && error.message.endsWith(`user id ${process.geteuid!()}`),
    );
  });

  for (const inner of ['', '.locks']) {
    test(`is not ready while nobody may write to ${inner || 'it'}, and is again after`, async (t) => {
      const { folder, store } = open(t);
      const closed = join(folder, inner);
      fs.chmodSync(closed, 0o555);
      await assert.rejects(store.append('new', say('m')), { code: 'unavailable' });
      await assert.rejects(store.check(), { code: 'unavailable' });
      fs.chmodSync(closed, 0o755);
      await store.check();
      await store.append('new', say('m'));
    });
  }

  test('that can’t be listed takes messages, and is ready', async (t) => {
    const { folder, store } = open(t);
    restrict(t, folder, 0o333);
    await store.check();
    await store.append('new', say('m'));
  });
});

suite('a room’s file', { skip: need('linux') }, () => {
  test('that belongs to somebody else is refused with that reason, and logged once', async (t) => {
    const { folder, store, lines } = open(t);
    for (const room of ['mine', 'theirs']) fs.writeFileSync(join(folder, `${room}.txt`), 'one\n');
    restrict(t, join(folder, 'theirs.txt'), 0);
    for (let n = 0; n < 3; n += 1) {
      const toRefusal = (verb: string) => ({
        code: 'unavailable',
        message: `the service has no right to ${verb} this room's file; its owner can grant it`,
      });
      await assert.rejects(store.snapshot('theirs'), toRefusal('read'));
      await assert.rejects(store.append('theirs', say('m')), toRefusal('write'));
    }
    await store.append('mine', say('m'));
    await store.check();
    assert.equal(lines.length, 1, lines.join(''));
    assert.match(lines[0]!, / warn the service has no right .*room="theirs"/);
  });

  test('that may only be read is shown', async (t) => {
    const { folder, store } = open(t);
    fs.writeFileSync(join(folder, 'r.txt'), 'one\n');
    restrict(t, join(folder, 'r.txt'), 0o444);
    assert.equal((await store.snapshot('r')).tail.toString(), 'one\n');
    await assert.rejects(store.append('r', say('m')), /no right to write/);
    assert.equal(fs.readFileSync(join(folder, 'r.txt'), 'utf8'), 'one\n');
  });
});
