// Room names and file stems.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { findRoomFault, fromFileStem, MAX_STEM_BYTES, toFileStem } from '../../../lib/room/name.ts';
import { show, vectors } from './vectors.ts';

const runs = { numRuns: 20_000 };

/** Names of every kind, in which difficult characters are frequent. */
const anyName = fc.string({
  unit: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...'abzAZ019_-.%/\\ +~:*"2EFé') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }) },
  ),
  maxLength: 110,
  size: 'medium',
});

suite('a good room name', () => {
  for (const { room, file } of vectors.rooms) {
    test(`${show(room)} has the file ${show(file)}`, () => {
      assert.equal(findRoomFault(room), undefined);
      assert.equal(`${toFileStem(room)}.txt`, file);
      assert.equal(fromFileStem(file.slice(0, -4)), room);
    });
  }

  test('has a file name that the file system takes as it is', () => {
    const folder = mkdtempSync(join(tmpdir(), 'chat-names-'));
    try {
      for (const { file } of vectors.rooms) writeFileSync(join(folder, file), '', { flag: 'wx' });
      const files = vectors.rooms.map(({ file }) => file);
      assert.deepEqual(readdirSync(folder).sort(), files.sort());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

suite('a bad room name', () => {
  for (const { room, why, fit } of vectors.badRooms) {
    const what = fit === undefined ? '' : ` that says that ${fit} characters fit`;
    test(`(${why}) is refused in one line${what}`, () => {
      const fault = findRoomFault(room);
      assert.match(fault ?? '', /^[\x20-\x7e]+$/);
      assert.match(fault ?? '', /room/);
      if (fit === undefined) return;
      assert.ok(
        fault!.includes(`the first ${fit} of its ${[...room].length} characters fit;`),
        fault,
      );
      const [first, next] = [fit, fit + 1].map((end) => [...room].slice(0, end).join(''));
      assert.equal(findRoomFault(first!), undefined);
      assert.notEqual(findRoomFault(next!), undefined);
    });
  }

  test('(a lone surrogate) is refused, as two such names would share a file', () => {
    for (const room of ['\ud800', 'a\udfff', '\udc00\ud800', 'x\ud83d']) {
      assert.match(findRoomFault(room) ?? '', /Unicode/);
    }
  });

  test('is each name with a control character, and no other character of Latin-1 is refused', () => {
    for (let code = 0; code < 256; code += 1) {
      const isControl = code < 0x20 || (code >= 0x7f && code <= 0x9f);
      const fault = findRoomFault(`a${String.fromCharCode(code)}b`);
      assert.equal(fault !== undefined, isControl, `U+${code.toString(16)}`);
    }
  });
});

suite('20,000 random names', () => {
  test('have safe stems that lead back to them, and no two share a stem, ignoring case', () => {
    const stemShape = /^(?:[a-z0-9_-]|%[0-9A-F]{2})(?:[a-z0-9_.-]|%[0-9A-F]{2})*$/;
    const folder = resolve('/rooms');
    const rooms = new Map<string, string>();
    fc.assert(
      fc.property(anyName, (room) => {
        if (findRoomFault(room) !== undefined) return;
        const stem = toFileStem(room);
        assert.ok(stemShape.test(stem), stem);
        assert.ok(Buffer.byteLength(stem) <= MAX_STEM_BYTES);
        assert.ok([...room].length >= 1 && [...room].length <= 100);
        const file = join(folder, `${stem}.txt`);
        assert.equal(dirname(file), folder);
        assert.equal(basename(file), `${stem}.txt`);
        assert.equal(fromFileStem(stem), room);
        const key = stem.toLowerCase();
        assert.equal(rooms.get(key) ?? room, room, `share ${key}`);
        rooms.set(key, room);
      }),
      runs,
    );
    assert.ok(rooms.size > 5_000, `only ${rooms.size} good names: the test means little`);
  });

  test('have other stems than the same names in another case, ignoring case', () => {
    fc.assert(
      fc.property(anyName, (room) => {
        const [lower, upper] = [room.toLowerCase(), room.toUpperCase()];
        if (lower === upper || !lower.isWellFormed() || !upper.isWellFormed()) return;
        assert.notEqual(toFileStem(lower).toLowerCase(), toFileStem(upper).toLowerCase());
      }),
    );
  });
});

suite('a file stem', () => {
  test('that toFileStem makes of no room is no room', () => {
    const strangers = [
      '',
      '.',
      '..',
      '.a',
      'A',
      'a b',
      '%41%',
      '%4',
      '%zz',
      '%61',
      '%2e',
      '%2E%2E',
    ];
    strangers.push('%e9', '%E9', '%FF', '%C0%AF', '%ED%A0%80', 'caf\u00e9', 'a%00', 'a%0A', '%2E');
    strangers.push('a'.repeat(101), 'a/b', 'a~', 'a%2Fb '.trimEnd().toLowerCase(), 'x.txt\n');
    for (const stem of strangers) assert.equal(fromFileStem(stem), undefined, show(stem));
  });

  test('among 20,000 random texts is the stem of its room, or no room', () => {
    const stems = fc.string({ unit: fc.constantFrom(...'ab.%0124EeFfAC9-_/'), maxLength: 12 });
    let roomCount = 0;
    fc.assert(
      fc.property(stems, (stem) => {
        const room = fromFileStem(stem);
        if (room === undefined) return;
        roomCount += 1;
        assert.equal(toFileStem(room), stem);
        assert.equal(findRoomFault(room), undefined);
      }),
      runs,
    );
    assert.ok(roomCount > 200, `only ${roomCount} rooms`);
  });

  test('may have exactly 240 bytes', () => {
    assert.equal(toFileStem('\u05e9'.repeat(40)).length, MAX_STEM_BYTES);
    assert.equal(findRoomFault('\u05e9'.repeat(40)), undefined);
    assert.match(findRoomFault(`${'\u05e9'.repeat(40)}a`) ?? '', /the first 40 of its 41/);
  });
});
