// The watch of a folder alone: the system's notices, and the poll behind them.
import assert from 'node:assert/strict';
import fs, { appendFileSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, mock, suite, test } from 'node:test';
import { POLL_MS, watchFolder } from '../../lib/store/watch.ts';
import { makeTempFolder } from '../support/paths.ts';
import { pause, waitUntil } from '../support/server.ts';

let folder: string;
let told: string[];
let stop: (() => void) | undefined;

beforeEach(() => {
  folder = makeTempFolder('watch');
  told = [];
});

afterEach(() => {
  stop?.();
  mock.restoreAll();
});

const toTag = (room: string) => {
  const { size, mtimeMs } = statSync(join(folder, `${room}.txt`));
  return `${size} ${mtimeMs}`;
};

/** Without rooms that are read, only the system's notices tell anything. */
function begin(rooms: string[] = []): void {
  stop = watchFolder(
    folder,
    () => rooms,
    toTag,
    (room) => told.push(room),
  );
}

const isTold = (room: string) => () => told.includes(room);

suite('the system’s notices', () => {
  test('tell of rooms that are written, replaced and removed, by their names', async () => {
    begin();
    const file = join(folder, '%41%2Fb.txt');
    const changes = [
      () => writeFileSync(file, 'one\n'),
      () => appendFileSync(file, 'two\n'),
      () => fs.renameSync(file, `${file}.old`),
      () => fs.renameSync(`${file}.old`, file),
      () => rmSync(file),
    ];
    for (const change of changes) {
      told = [];
      change();
      await waitUntil('told', isTold('A/b'));
    }
  });

  test('of other files tell nothing', async () => {
    begin();
    mkdirSync(join(folder, '.locks'));
    for (const name of ['room.lock', '.room.txt.swp', 'room', '%zz.txt', 'UPPER.txt']) {
      writeFileSync(join(folder, name), '');
    }
    writeFileSync(join(folder, 'last.txt'), '');
    await waitUntil('told', isTold('last'));
    assert.deepEqual([...new Set(told)], ['last']);
  });

  test('go on after the folder was removed and made anew', async () => {
    begin();
    for (let round = 0; round < 3; round += 1) {
      rmSync(folder, { recursive: true });
      // Sometimes a poll falls between the two, sometimes not.
      await pause(round * POLL_MS * 0.7);
      mkdirSync(folder);
      await pause(POLL_MS + 200);
      told = [];
      writeFileSync(join(folder, 'room.txt'), 'one\n');
      await waitUntil('told', isTold('room'));
    }
  });

  test('end when the watch is stopped', async () => {
    begin();
    stop?.();
    writeFileSync(join(folder, 'room.txt'), 'one\n');
    await pause(300);
    assert.deepEqual(told, []);
  });
});

suite('the poll', () => {
  test('tells of rooms that are read where the system does not', async () => {
    mock.method(fs, 'watch', () => {
      throw Object.assign(new Error('no more watches'), { code: 'ENOSPC' });
    });
    const rooms = ['room'];
    begin(rooms);
    writeFileSync(join(folder, 'room.txt'), 'one\n');
    writeFileSync(join(folder, 'unread.txt'), 'one\n');
    await waitUntil('told', isTold('room'));
    rooms.push('unread');
    await waitUntil('told', isTold('unread'));
    told = [];
    await pause(2 * POLL_MS + 200);
    assert.deepEqual(told, [], 'what did not change is not told');
    rmSync(join(folder, 'room.txt'));
    await waitUntil('told', isTold('room'));
    assert.deepEqual(told, ['room']);
  });

  test('watches again as soon as it can', async () => {
    rmSync(folder, { recursive: true });
    begin();
    await pause(100);
    mkdirSync(folder);
    await pause(POLL_MS + 200);
    writeFileSync(join(folder, 'room.txt'), 'one\n');
    await waitUntil('told', isTold('room'));
  });
});
