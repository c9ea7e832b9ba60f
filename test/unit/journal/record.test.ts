// The bytes of a journal: what was written reads back, and nothing else does.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  decodeFrame,
  decodeHeader,
  encodeFrame,
  encodeHeader,
  type Header,
  type JournalRecord,
  SECTOR_BYTES,
} from '../../../lib/journal/record.ts';

const header: Header = { counter: 7, generation: '00112233aabbccdd', boot: 'boot-1', device: 2049 };
const { generation } = header;

function makeRecord(change: Partial<JournalRecord> = {}): JournalRecord {
  const bytes = Buffer.from('[2018-02-25 14:00:51] omri: hi everybody!\n');
  const file = { name: '%54ea', ino: 2 ** 40 + 1, birthtimeMs: 1.5e12 + 0.25 };
  const before = Buffer.from('before\n');
  return { ...file, offset: 2 ** 35 + 3, stamp: 2n ** 60n + 1n, before, bytes, ...change };
}

suite('a header', () => {
  test('reads back and fills one sector', () => {
    const sector = encodeHeader(header);
    assert.equal(sector.length, SECTOR_BYTES);
    assert.deepEqual(decodeHeader(sector), header);
  });

  test('is none if any of its bytes is another one', () => {
    const sector = encodeHeader(header);
    const end = sector.indexOf(0);
    for (let at = 0; at < end; at += 1) {
      const damaged = Buffer.from(sector);
      damaged[at]! ^= 1;
      assert.equal(decodeHeader(damaged), undefined, `byte ${at}`);
    }
    assert.equal(decodeHeader(Buffer.alloc(SECTOR_BYTES)), undefined);
    assert.equal(decodeHeader(Buffer.alloc(0)), undefined);
  });
});

suite('a frame', () => {
  test('reads back with all its records, and ends at a sector', () => {
    const records = [
      makeRecord(),
      makeRecord({ name: 'b', bytes: Buffer.alloc(0) }),
      makeRecord({ name: 'c'.repeat(240), bytes: Buffer.alloc(70_000, 'x') }),
    ];
    const frame = encodeFrame(generation, records);
    assert.equal(frame.length % SECTOR_BYTES, 0);
    const journal = Buffer.concat([Buffer.alloc(SECTOR_BYTES), frame, Buffer.alloc(SECTOR_BYTES)]);
    const decoded = decodeFrame(journal, SECTOR_BYTES, generation);
    assert.deepEqual(decoded?.records, records);
    assert.equal(decoded?.end, SECTOR_BYTES + frame.length);
  });

  test('is none if any of its bytes is another one', () => {
    const frame = encodeFrame(generation, [makeRecord({ bytes: Buffer.from('short\n') })]);
    const end = frame.lastIndexOf('short\n') + 6;
    for (let at = 0; at < end; at += 1) {
      const damaged = Buffer.from(frame);
      damaged[at]! ^= 0x40;
      assert.equal(decodeFrame(damaged, 0, generation), undefined, `byte ${at}`);
    }
  });

  test('is none if its end is missing or zero', () => {
    const frame = encodeFrame(generation, [makeRecord({ bytes: Buffer.alloc(2000, 'x') })]);
    for (let length = 0; length < 2000; length += 100) {
      assert.equal(decodeFrame(frame.subarray(0, length), 0, generation), undefined);
      const zeroed = Buffer.alloc(frame.length);
      frame.copy(zeroed, 0, 0, length);
      assert.equal(decodeFrame(zeroed, 0, generation), undefined);
    }
  });

  test('of another generation is none', () => {
    const frame = encodeFrame(generation, [makeRecord()]);
    assert.equal(decodeFrame(frame, 0, 'ffffffffffffffff'), undefined);
  });
});
