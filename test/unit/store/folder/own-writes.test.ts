// What a watch tells of rooms that this process is writing to: later, where nothing came of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnWrites } from '../../../../lib/store/folder/own-writes.ts';

function make(): { writes: OwnWrites; tell: (room: string) => void; told: string[] } {
  const writes = new OwnWrites();
  const told: string[] = [];
  return { writes, tell: writes.filter((room) => told.push(room)), told };
}

test('a room is told of at once while nobody here writes to it', () => {
  const { writes, tell, told } = make();
  writes.begin('a');
  tell('b');
  assert.deepEqual(told, ['b']);
  writes.end('a', true);
  tell('a');
  assert.deepEqual(told, ['b', 'a']);
});

test('what is told while it is written to is kept back, for good where that is stored', () => {
  const { writes, tell, told } = make();
  writes.begin('a');
  tell('a');
  writes.end('a', true);
  assert.deepEqual(told, []);
});

test('and is told once, afterwards, where it is not: it may have been another’s doing', () => {
  const { writes, tell, told } = make();
  writes.begin('a');
  tell('a');
  tell('a');
  assert.deepEqual(told, []);
  writes.end('a', false);
  assert.deepEqual(told, ['a']);
});

test('nothing is made up where nothing was told', () => {
  const { writes, told } = make();
  writes.begin('a');
  writes.end('a', false);
  assert.deepEqual(told, []);
});
