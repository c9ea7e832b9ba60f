// Snapshots of rooms in a folder: what a reader sees while others write, edit and die.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Disk, realDisk } from '../../../../lib/disk/disk.ts';
import { LockFolder } from '../../../../lib/lock/lock.ts';
import { EMPTY_EPOCH, toEpoch } from '../../../../lib/room/cursor.ts';
import { findPart } from '../../../../lib/room/line-reader.ts';
import { MAX_TEXT_BYTES, Snapshots, TAIL_BYTES } from '../../../../lib/store/folder/snapshot.ts';
import type { Snapshot } from '../../../../lib/store/store.ts';
import { makeTempFolder } from '../../../support/paths.ts';
import { pause } from '../../../support/server.ts';

interface Rooms {
  file: string;
  snapshots: Snapshots;
  locks: LockFolder;
  suspected: string[];
  /** Snapshots of another process on the same folder. */
  other: Snapshots;
}

const quiet = { onAcquire: () => undefined, onBreak: async () => undefined };

function makeRooms(text?: string | Buffer, disk: Partial<Disk> = {}): Rooms {
  const folder = makeTempFolder('snapshot');
  const locksFolder = join(folder, '.locks');
  fs.mkdirSync(locksFolder);
  const locks = new LockFolder(locksFolder, quiet);
  const suspected: string[] = [];
  const snapshots = new Snapshots(folder, locks, (room) => suspected.push(room), {
    ...realDisk,
    ...disk,
  });
  const other = new Snapshots(folder, new LockFolder(locksFolder, quiet), () => undefined);
  const file = join(folder, 'r.txt');
  if (text !== undefined) fs.writeFileSync(file, text);
  return { file, snapshots, locks, suspected, other };
}

async function readAll(snapshot: Snapshot, from = 0, to = snapshot.sizeBytes): Promise<string> {
  const part = findPart(snapshot, from, to);
  if (part !== undefined) return part.toString();
  const pieces: Buffer[] = [];
  for await (const piece of snapshot.read(from, to)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString();
}

suite('a room where nobody writes', () => {
  test('is an empty one where there is no file, and the same empty one always', () => {
    const { snapshots, other } = makeRooms();
    const snapshot = snapshots.snapshot('r');
    assert.deepEqual(
      [snapshot.sizeBytes, snapshot.completeBytes, snapshot.epoch, snapshot.isSettled],
      [0, 0, EMPTY_EPOCH, true],
    );
    assert.equal(snapshot.etag, snapshots.etag('r'));
    assert.equal(other.snapshot('r').etag, snapshot.etag);
  });

  test('is an empty one where the file is empty', () => {
    const snapshot = makeRooms('').snapshots.snapshot('r');
    assert.deepEqual(
      [snapshot.sizeBytes, snapshot.completeBytes, snapshot.epoch],
      [0, 0, EMPTY_EPOCH],
    );
  });

  const texts: Record<string, string> = {
    'one line': 'one\n',
    'two lines': 'one\ntwo\n',
    'a last line without LF': 'one\ntwo',
    'no LF at all': 'half',
    'only an LF': '\n',
    'CR LF': 'one\r\ntwo\r\n',
    'the most that is kept in memory': `${'x'.repeat(MAX_TEXT_BYTES - 1)}\n`,
    'a byte more': `${'x'.repeat(MAX_TEXT_BYTES)}\n`,
    'a large half line': `one\n${'x'.repeat(MAX_TEXT_BYTES * 2)}`,
  };
  for (const [what, text] of Object.entries(texts)) {
    test(`is shown as it is: ${what}`, async () => {
      const { snapshots, other } = makeRooms(text);
      const snapshot = snapshots.snapshot('r');
      assert.equal(snapshot.sizeBytes, text.length);
      assert.equal(snapshot.completeBytes, text.lastIndexOf('\n') + 1);
      assert.equal(snapshot.epoch, text.includes('\n') ? toEpoch(Buffer.from(text)) : EMPTY_EPOCH);
      assert.ok(snapshot.isSettled);
      const isSmall = text.length <= MAX_TEXT_BYTES;
      assert.equal(snapshot.tail.length, isSmall ? text.length : TAIL_BYTES, 'bounded memory');
      assert.ok(text.endsWith(snapshot.tail.toString()));
      assert.equal(await readAll(snapshot), text);
      assert.equal(snapshot.etag, snapshots.etag('r'));
      assert.deepEqual(
        [other.etag('r'), other.snapshot('r').etag],
        [snapshot.etag, snapshot.etag],
        'on every replica',
      );
      assert.match(snapshot.etag, /^"[\x21\x23-\x7e]+"$/);
    });
  }

  test('is read once, and then given from memory', () => {
    let opened = 0;
    const openSync: Disk['openSync'] = (...args) => {
      opened += 1;
      return realDisk.openSync(...args);
    };
    const { snapshots } = makeRooms('one\n', { openSync });
    const snapshot = snapshots.snapshot('r');
    for (let round = 0; round < 100; round += 1) {
      assert.equal(snapshots.snapshot('r'), snapshot);
      assert.equal(snapshots.etag('r'), snapshot.etag);
    }
    assert.equal(opened, 1);
  });

  test('has its tag without opening the text', () => {
    const openSync: Disk['openSync'] = () => assert.fail('opened');
    const { snapshots, other } = makeRooms('one\n', { openSync });
    assert.equal(snapshots.etag('r'), other.snapshot('r').etag);
  });
});

suite('while a writer holds the lock', () => {
  test('a reader is shown what was committed before, with the same tag', async () => {
    const { snapshots, other, locks, file } = makeRooms('one\n');
    const before = snapshots.snapshot('r');
    const held = await locks.acquire('r');
    held.publish(4);
    fs.appendFileSync(file, 'two\nthree\nha');
    const snapshot = snapshots.snapshot('r');
    assert.equal(snapshot.tail.toString(), 'one\n');
    assert.deepEqual([snapshot.completeBytes, snapshot.isSettled], [4, false]);
    assert.deepEqual([snapshot.etag, snapshots.etag('r')], [before.etag, before.etag]);
    const cold = other.snapshot('r');
    assert.equal(cold.tail.toString(), 'one\n', 'one who never read it before, too');
    assert.deepEqual([cold.sizeBytes, cold.epoch, cold.isSettled], [4, before.epoch, false]);
    fs.appendFileSync(file, 'lf\n');
    held.release();
    assert.equal(snapshots.snapshot('r').tail.toString(), 'one\ntwo\nthree\nhalf\n');
    assert.equal(other.snapshot('r').etag, snapshots.snapshot('r').etag);
    locks.close();
  });

  test('a room that is just being begun is empty, with the cursor of an empty room', async () => {
    const { snapshots, locks, file } = makeRooms();
    const held = await locks.acquire('r');
    held.publish(0);
    fs.writeFileSync(file, 'first line\nhalf');
    const snapshot = snapshots.snapshot('r');
    assert.deepEqual(
      [snapshot.sizeBytes, snapshot.completeBytes, snapshot.epoch],
      [0, 0, EMPTY_EPOCH],
    );
    held.release();
    assert.equal(snapshots.snapshot('r').epoch, toEpoch(Buffer.from('first line\n')));
    locks.close();
  });

  test('a last line without LF is left out, and shown again after', async () => {
    const { snapshots, locks, file } = makeRooms('one\nhalf');
    assert.equal(snapshots.snapshot('r').tail.toString(), 'one\nhalf');
    const held = await locks.acquire('r');
    held.publish(8);
    fs.appendFileSync(file, '\ntwo\n');
    assert.equal(snapshots.snapshot('r').tail.toString(), 'one\n');
    assert.equal(snapshots.snapshot('r').epoch, toEpoch(Buffer.from('one\n')));
    fs.truncateSync(file, 8);
    held.release();
    assert.equal(snapshots.snapshot('r').tail.toString(), 'one\nhalf', 'rolled back');
    locks.close();
  });

  test('what a writer takes back was never shown', async () => {
    const { snapshots, other, locks, file } = makeRooms('one\n');
    const tags = new Set([snapshots.snapshot('r').etag]);
    const held = await locks.acquire('r');
    held.publish(4);
    fs.appendFileSync(file, 'taken back\n');
    assert.equal(snapshots.snapshot('r').tail.toString(), 'one\n');
    assert.equal(other.snapshot('r').tail.toString(), 'one\n');
    fs.truncateSync(file, 4);
    assert.equal(other.snapshot('r').tail.toString(), 'one\n');
    fs.appendFileSync(file, 'something!\n');
    held.release();
    assert.equal(snapshots.snapshot('r').tail.toString(), 'one\nsomething!\n');
    assert.ok(!tags.has(snapshots.snapshot('r').etag));
    locks.close();
  });

  test('a large room is shown up to the committed offset, and not a byte more', async () => {
    const line = `${'x'.repeat(99)}\n`;
    const { snapshots, locks, file } = makeRooms(line.repeat(5000));
    const held = await locks.acquire('r');
    held.publish(500_000);
    fs.appendFileSync(file, 'uncommitted\n');
    const snapshot = snapshots.snapshot('r');
    assert.deepEqual(
      [snapshot.sizeBytes, snapshot.completeBytes, snapshot.tail.length],
      [500_000, 500_000, TAIL_BYTES],
    );
    assert.ok(line.repeat(1000).endsWith(snapshot.tail.toString()));
    assert.equal(await readAll(snapshot), line.repeat(5000));
    held.release();
    locks.close();
  });

  test('a committed offset beyond the file’s end, after a cut by hand, is the file’s end', async () => {
    const { snapshots, locks, file } = makeRooms('one\ntwo\n');
    const held = await locks.acquire('r');
    held.publish(8);
    fs.truncateSync(file, 4);
    assert.equal(snapshots.snapshot('r').tail.toString(), 'one\n');
    held.release();
    locks.close();
  });

  test('a room whose lock stays the same is suspected once', async () => {
    const { snapshots, locks, suspected, file } = makeRooms('one\n');
    const held = await locks.acquire('r');
    // An owner that does not touch its lock any more may be dead.
    locks.close();
    held.publish(4);
    fs.appendFileSync(file, 'two\n');
    snapshots.snapshot('r');
    assert.deepEqual(suspected, []);
    await pause(700);
    for (let round = 0; round < 5; round += 1) {
      snapshots.etag('r');
      snapshots.snapshot('r');
    }
    assert.deepEqual(suspected, ['r']);
    held.release();
    snapshots.snapshot('r');
    const again = await locks.acquire('r');
    again.publish(8);
    fs.appendFileSync(file, 'three\n');
    snapshots.snapshot('r');
    assert.deepEqual(suspected, ['r'], 'another lock is watched anew');
    again.release();
  });
});

suite('a room that changes while it is read', () => {
  test('is read again', () => {
    let isFirst = true;
    const rooms: Rooms = makeRooms('one\n', {
      readSync: (...args) => {
        const count = realDisk.readSync(...args);
        if (isFirst) fs.appendFileSync(rooms.file, 'two\n');
        isFirst = false;
        return count;
      },
    });
    assert.equal(rooms.snapshots.snapshot('r').tail.toString(), 'one\ntwo\n');
  });

  test('is empty where it was removed just before it was opened', () => {
    const rooms: Rooms = makeRooms('one\n', {
      openSync: (...args) => {
        fs.rmSync(rooms.file, { force: true });
        return realDisk.openSync(...args);
      },
    });
    assert.equal(rooms.snapshots.snapshot('r').sizeBytes, 0);
  });

  test('is read again if it was cut', () => {
    let isFirst = true;
    const rooms: Rooms = makeRooms('one\ntwo\n', {
      fstatSync: (fd) => {
        const stat = realDisk.fstatSync(fd);
        if (isFirst) fs.truncateSync(rooms.file, 4);
        isFirst = false;
        return stat;
      },
    });
    const snapshot = rooms.snapshots.snapshot('r');
    assert.equal(snapshot.tail.toString(), 'one\n');
  });

  test('without a pause, by a writer that takes no lock, is shown up to a complete line', () => {
    let statCount = 0;
    const rooms: Rooms = makeRooms('one\nhalf', {
      fstatSync: (fd) => {
        const stat = realDisk.fstatSync(fd);
        statCount += 1;
        assert.ok(statCount < 100, 'it ends');
        fs.appendFileSync(rooms.file, 'x');
        return stat;
      },
    });
    const snapshot = rooms.snapshots.snapshot('r');
    assert.equal(snapshot.tail.toString(), 'one\n');
    assert.equal(snapshot.isSettled, false, 'there may be more in a moment');
  });
});
