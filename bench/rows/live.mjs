// Live readers beside nchan: one message to all, many messages at once, and what an idle one costs.
import { Connection, expectStatus, openReaders, toPost } from '../lib/client.mjs';
import { startNginx } from '../lib/peers.mjs';
import { makeFolder, pause, readCpuMs, readRssBytes, startChat } from '../lib/processes.mjs';
import { compare, ensure, limit, quantile } from '../lib/stats.mjs';

/** How long a message may be on its way before the run counts as failed. */
const LATE_MS = 30_000;

/** A room or channel with its readers, who know each message by its number. */
export class Audience {
  /** Arrivals of the messages that are awaited, in milliseconds after they were sent. */
  delays = [];
  #left = 0;
  #sentMs = 0;
  #done = () => {};

  /** @param {{ server: object, publish: string, stream: string }} place and how it is used */
  constructor(place, count) {
    this.place = place;
    this.count = count;
    this.seen = new Uint32Array(count);
  }

  async open() {
    const { server, stream } = this.place;
    const take = (chunk, reader) => this.#take(chunk, reader);
    this.readers = await openReaders(server.port, stream, this.count, take);
    this.publishers = await Promise.all(
      Array.from({ length: 50 }, () => Connection.open(server.port)),
    );
    return this;
  }

  /** Sends so many messages at once; gives the time until all readers have all of them. */
  async send(messages) {
    this.#left = messages * this.count;
    this.#sentMs = performance.now();
    const all = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${this.#left} not delivered`)), LATE_MS);
      this.#done = () => {
        clearTimeout(late);
        resolve(performance.now() - this.#sentMs);
      };
    });
    const each = messages / Math.min(messages, this.publishers.length);
    const publishing = this.publishers.slice(0, messages).map(async (publisher) => {
      const request = toPost(this.place.publish, MARK);
      for (let n = 0; n < each; n += 1) await expectStatus(publisher, request, [201, 202]);
    });
    const [took] = await Promise.all([all, ...publishing]);
    return took;
  }

  close() {
    ensure(this.readers.dropped() === 0, 'no reader was dropped');
    ensure(
      this.seen.every((seen) => seen === this.seen[0]),
      'each reader got each message once',
    );
    this.readers.close();
    for (const publisher of this.publishers) publisher.close();
  }

  #take(chunk, reader) {
    const now = performance.now();
    for (let at = chunk.indexOf(MARK); at !== -1; at = chunk.indexOf(MARK, at + 1)) {
      this.seen[reader] += 1;
      this.#left -= 1;
      this.delays.push(now - this.#sentMs);
    }
    if (this.#left === 0) this.#done();
  }
}

/** In each message once; short, so that it is rarely cut in two, and counted exactly all the same. */
const MARK = '~';

/** The service and nchan, each with a room full of readers. */
async function openBoth(count) {
  const chat = await startChat(makeFolder());
  const nchan = await startNginx('nchan.conf');
  const places = [
    { server: chat, publish: '/chat/hall', stream: '/chat/hall' },
    { server: nchan, publish: '/publish/hall', stream: '/stream/hall' },
  ];
  const audiences = [];
  for (const place of places) audiences.push(await new Audience(place, count).open());
  return audiences;
}

async function closeBoth(audiences) {
  for (const audience of audiences) audience.close();
  await Promise.all(audiences.map(({ place }) => place.server.stop()));
}

/** One message to all readers, again and again. */
export async function tellOne({ rounds, readers, messages }) {
  const audiences = await openBoth(readers);
  const p99s = audiences.map(() => []);
  const cpus = audiences.map(() => []);
  for (let round = 0; round <= rounds; round += 1) {
    const used = audiences.map(() => 0);
    for (const audience of audiences) audience.delays = [];
    for (let n = 0; n < messages; n += 1) {
      for (const [index, audience] of audiences.entries()) {
        const before = readCpuMs(audience.place.server.pid);
        await audience.send(1);
        await pause(5);
        used[index] += readCpuMs(audience.place.server.pid) - before;
      }
    }
    if (round === 0) continue;
    for (const [index, { delays }] of audiences.entries()) {
      p99s[index].push(quantile(delays, 0.99));
      cpus[index].push((used[index] * 1000) / delays.length);
    }
  }
  await closeBoth(audiences);
  const what = `one message to ${readers} live readers`;
  return [
    compare({
      what: `${what}, p99`,
      beside: 'nchan',
      unit: 'ms',
      most: 1.1,
      ours: p99s[0],
      theirs: p99s[1],
    }),
    compare({
      what: `${what}, CPU a delivery`,
      beside: 'nchan',
      unit: 'µs',
      most: 1,
      ours: cpus[0],
      theirs: cpus[1],
    }),
  ];
}

/** Many messages at once, until all readers have all. */
export async function tellMany({ rounds, readers, burst }) {
  const audiences = await openBoth(readers);
  const times = audiences.map(() => []);
  for (let round = 0; round <= Math.min(rounds, 5); round += 1) {
    for (const [index, audience] of audiences.entries()) {
      audience.delays = [];
      const took = await audience.send(burst);
      if (round > 0) times[index].push(took);
    }
  }
  await closeBoth(audiences);
  return [
    compare({
      what: `${burst} messages at once to ${readers} live readers, until all have all`,
      beside: 'nchan',
      unit: 'ms',
      most: 0.25,
      ours: times[0],
      theirs: times[1],
    }),
  ];
}

/** What an idle live reader costs in memory: a minute after they came, and at once. */
export async function keepIdle({ idleReaders, idleMs }) {
  const chat = await startChat(makeFolder());
  const warm = await openReaders(chat.port, '/chat/hall', 100, () => {});
  await pause(500);
  const before = readRssBytes(chat.pid);
  const readers = await openReaders(chat.port, '/chat/hall', idleReaders, () => {});
  const toEach = () => (readRssBytes(chat.pid) - before) / idleReaders / 1024;
  await pause(3000);
  const early = toEach();
  await pause(idleMs);
  const idle = toEach();
  ensure(readers.dropped() === 0 && warm.dropped() === 0, 'no reader was dropped');
  readers.close();
  warm.close();
  await chat.stop();
  const what = `RSS per idle live reader, ${idleReaders} readers`;
  const cost = { beside: '–', unit: 'KB', most: 15 };
  return [
    limit({ ...cost, what, ours: [idle], note: `after ${idleMs / 1000} s of silence` }),
    limit({ ...cost, what: '— 3 s after they came', ours: [early], isExtra: true }),
  ];
}
