// Under load, each reader gets each line exactly once, from whichever cursor and server it reads.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runCrowd } from '../../support/crowd.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { pause, startServer, waitUntil } from '../../support/server.ts';
import { appendByHand, makeLines, readLineEvents, toFile } from './rooms.ts';
import { type Track, type TrackOptions, trackEvents, trackText } from './tracks.ts';

const rooms = ['general', 'Second Room', 'שלישי', 'a/b'];
const clientCount = 10;
const messageCount = 5000;
const subscriberCount = 40;

type Start = Pick<TrackOptions, 'query' | 'lastEventId'>;

/** Every kind of start. The cursor is in the middle of what the room contains at first. */
const starts: ((cursor: string) => Start)[] = [
  () => ({}),
  () => ({ query: 'since=0' }),
  () => ({ query: 'since=now' }),
  (cursor) => ({ query: `since=${cursor}` }),
  (cursor) => ({ query: `since=${cursor.slice(9)}` }),
  (cursor) => ({ lastEventId: cursor }),
  (cursor) => ({ lastEventId: cursor, query: 'since=now' }),
  () => ({ query: 'since=' }),
];

test('40 readers of 3 processes get each of 5,000 messages once, in order, at its offset', async () => {
  const store = makeTempFolder('rooms');
  const toStart = (room: string, n: number) =>
    starts[n % starts.length]!(readLineEvents(store, room)[49]!.id);
  for (const room of rooms) appendByHand(store, room, makeLines(100, `old ${room}`));
  const servers = await Promise.all([0, 1, 2].map(() => startServer({ store })));
  const writing = runCrowd({
    servers,
    rooms,
    clientCount,
    messageCount: messageCount / clientCount,
  });
  const tracks: (Track & { room: string })[] = [];
  for (let n = 0; n < subscriberCount; n += 1) {
    const room = rooms[(n + (n >> 3)) % rooms.length]!;
    const isText = n % 5 === 4;
    const options: TrackOptions = {
      servers: [0, 1, 2].map((step) => servers[(n + step) % 3]!),
      room,
      // Plain text has no Last-Event-ID, so its readers use the first five kinds of start.
      ...toStart(room, isText ? (n % 8) % 5 : n),
      // Half of them are cut off again and again, some before they got anything.
      ...(n % 2 === 1 && { toLifeMs: () => Math.random() * 200 }),
    };
    tracks.push({ room, ...(isText ? trackText(options) : trackEvents(options)) });
    await pause(Math.random() * 50);
  }
  const { sent } = await writing;
  const stored = sent.filter((one) => one.line !== undefined);
  assert.equal(stored.length, messageCount, 'every message was stored');
  // A line that is sent twice comes twice before this one.
  for (const room of rooms) appendByHand(store, room, 'the end\n');
  const files = new Map(rooms.map((room) => [room, readFileSync(toFile(store, room))]));
  for (const [n, track] of tracks.entries()) {
    const file = files.get(track.room)!;
    await waitUntil(`reader ${n} at the end`, () => track.isAtEnd(file), 60_000).catch((error) => {
      throw new Error(`${error.message}; ${track.findFaults(file)}`);
    });
  }
  for (const track of tracks) track.stop();
  const faults = tracks.flatMap((track, n) =>
    track.findFaults(files.get(track.room)!).map((fault) => `reader ${n}: ${fault}`),
  );
  assert.deepEqual(faults, []);
  const openedCount = tracks.reduce((sum, track) => sum + track.openedCount(), 0);
  assert.ok(openedCount > subscriberCount * 5, `${openedCount} streams`);
  const middle = Buffer.byteLength(makeLines(100, 'old general')) + 1;
  assert.ok(
    tracks.some((track) => track.from() > middle),
    'no reader joined while messages were stored',
  );
  for (const server of servers) {
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    assert.deepEqual(server.stderr, []);
  }
});
