// How a write becomes durable: by the journal, or by a sync of the room's file.
import assert from 'node:assert/strict';
import { closeSync, fstatSync, linkSync, openSync, truncateSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Disk, realDisk } from '../../../../lib/disk/disk.ts';
import { RoomSync } from '../../../../lib/store/folder/room-sync.ts';
import { RoomsFolder } from '../../../../lib/store/folder/rooms-folder.ts';
import { makeTempFolder } from '../../../support/paths.ts';
import { readJournals } from '../../journal/read-journals.ts';

/** A folder with one room, and what was synced of it: names of files, `names` for those in the folder. */
function open(t: TestContext) {
  const folder = makeTempFolder('sync');
  const file = join(folder, 'r.txt');
  const synced: string[] = [];
  const disk: Disk = {
    ...realDisk,
    fdatasync: async (fd) => {
      synced.push(fd === room ? 'room' : 'journal');
      await realDisk.fdatasync(fd);
    },
    open: (path, flags) => {
      if (basename(path) === basename(folder)) synced.push('names');
      return realDisk.open(path, flags);
    },
  };
  const events = { onSync: () => undefined, onJournalFailure: () => undefined };
  const rooms = new RoomsFolder(folder, disk, () => undefined);
  rooms.make();
  const sync = new RoomSync(rooms, true, events, disk);
  const room = openSync(file, 'a+');
  t.after(async () => {
    await sync.close();
    closeSync(room);
  });
  /** Appends, as the store does. */
  const append = async (text: string): Promise<void> => {
    const before = fstatSync(room);
    writeSync(room, text);
    synced.splice(0);
    const bytes = Buffer.from(text);
    await sync.sync({ file, fd: room, before, after: fstatSync(room), bytes });
  };
  const readBack = () =>
    readJournals(rooms.journals).map(({ offset, before, bytes }) => `${offset} ${before}|${bytes}`);
  return { file, room, sync, synced, append, readBack };
}

test('the first write to a file syncs the file and its name, the next goes into the journal', async (t) => {
  const { append, synced, readBack } = open(t);
  await append('one\n');
  assert.deepEqual(synced, ['room', 'names']);
  await append('two\n');
  assert.ok(!synced.includes('room'));
  assert.deepEqual(readBack(), ['4 one\n|two\n']);
});

test('what others added before a write goes into the journal with it', async (t) => {
  const { append, room, readBack } = open(t);
  await append('one\n');
  writeSync(room, 'by hand\n');
  await append('two\n');
  assert.deepEqual(readBack(), ['12 one\nby hand\n|two\n']);
});

test('a write after anything but an append syncs the file and its name', async (t) => {
  const { append, file, room, synced, readBack } = open(t);
  await append('one\n');
  await append('two\n');
  truncateSync(file, 2);
  await append('three\n');
  assert.deepEqual(synced, ['room', 'names']);
  truncateSync(file, 0);
  writeSync(room, 'other lines, which are longer\n');
  await append('four\n');
  assert.deepEqual(synced, ['room', 'names']);
  assert.deepEqual(readBack(), ['4 one\n|two\n']);
});

test('a file with a second name is synced itself', async (t) => {
  const { append, file, synced } = open(t);
  await append('one\n');
  linkSync(file, `${file}.copy`);
  await append('two\n');
  assert.deepEqual(synced, ['room']);
});

test('a truncation is recorded as well: replay must not bring back what was refused', async (t) => {
  const { append, file, room, sync, readBack } = open(t);
  await append('one\n');
  const before = fstatSync(room);
  await append('refused\n');
  truncateSync(file, before.size);
  await sync.syncTruncation({ file, fd: room, before });
  assert.deepEqual(readBack(), ['4 one\n|refused\n', '4 |']);
});
