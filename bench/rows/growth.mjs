// How cost grows: with rooms, readers, processes, and the rate of messages.
import fs from 'node:fs';
import path from 'node:path';
import { Connection, expectStatus, toGet, toPost } from '../lib/client.mjs';
import { makeFolder, pause, readCpuMs, startChat } from '../lib/processes.mjs';
import { countLines, LINE } from '../lib/rooms.mjs';
import { ensure, median, quantile } from '../lib/stats.mjs';
import { Audience } from './live.mjs';

/** Latency of GET and POST in a random one of many rooms. */
export async function growRooms({ samples, roomCounts }) {
  const gets = [];
  const posts = [];
  for (const count of roomCounts) {
    const folder = makeFolder();
    for (let n = 0; n < count; n += 1) fs.writeFileSync(path.join(folder, `r${n}.txt`), LINE);
    const chat = await startChat(folder);
    const connection = await Connection.open(chat.port);
    const pick = () => `/chat/r${Math.floor(Math.random() * count)}`;
    const time = async (make, status) => {
      const times = [];
      for (let n = 0; n < samples; n += 1) {
        const request = make(pick());
        const begunMs = performance.now();
        await expectStatus(connection, request, [status]);
        if (n >= samples / 4) times.push(performance.now() - begunMs);
      }
      return median(times);
    };
    gets.push([count, await time(toGet, 200)]);
    posts.push([count, await time((room) => toPost(room, 'hello'), 201)]);
    connection.close();
    await chat.stop();
  }
  return {
    file: 'rooms.svg',
    title: 'Latency by the number of rooms',
    x: 'rooms',
    y: 'ms, median of one client',
    lines: { GET: gets, 'durable POST': posts },
  };
}

/** CPU and latency of a delivery by the number of readers. */
export async function growReaders({ messages, readerCounts }) {
  const cpu = [];
  const p99s = [];
  for (const count of readerCounts) {
    const server = await startChat(makeFolder());
    const place = { server, publish: '/chat/hall', stream: '/chat/hall' };
    const audience = await new Audience(place, count).open();
    const times = Math.max(messages, Math.ceil(10_000 / count));
    await audience.send(1);
    audience.delays = [];
    const before = readCpuMs(server.pid);
    for (let n = 0; n < times; n += 1) await audience.send(1);
    cpu.push([count, ((readCpuMs(server.pid) - before) * 1000) / (times * count)]);
    p99s.push([count, quantile(audience.delays, 0.99)]);
    audience.close();
    await server.stop();
  }
  return [
    {
      file: 'readers-cpu.svg',
      title: 'CPU a delivery by the number of live readers, the POST included',
      x: 'readers',
      y: 'µs',
      lines: { 'CPU a delivery': cpu },
    },
    {
      file: 'readers.svg',
      title: 'One message to all live readers',
      x: 'readers',
      y: 'ms from POST to reader',
      lines: { p99: p99s },
    },
  ];
}

/** Stored messages a second by the number of processes on one room and on a room each. */
export async function growProcesses({ seconds, processCounts }) {
  const lines = { 'one room': [], 'a room each': [] };
  for (const count of processCounts) {
    for (const [name, points] of Object.entries(lines)) {
      const folder = makeFolder();
      const servers = [];
      for (let n = 0; n < count; n += 1) servers.push(await startChat(folder, { core: null }));
      const isShared = name === 'one room';
      const endMs = performance.now() + seconds * 2000;
      const counts = await Promise.all(
        servers.map((server, n) => postUntil(server, isShared ? 'room0' : `room${n}`, endMs)),
      );
      const answered = counts.reduce((sum, one) => sum + one, 0);
      const files = fs.readdirSync(folder).filter((file) => file.endsWith('.txt'));
      const stored = files.reduce((sum, file) => sum + countLines(path.join(folder, file)), 0);
      ensure(stored === answered, `${answered} were answered, ${stored} are on disk`);
      points.push([count, answered / (seconds * 2)]);
      await Promise.all(servers.map((server) => server.stop()));
    }
  }
  return {
    file: 'processes.svg',
    title: 'Durable messages a second by the number of processes, all on two cores',
    x: 'processes',
    y: 'messages/s',
    lines,
  };
}

async function postUntil(server, room, endMs) {
  const connections = await Promise.all(
    Array.from({ length: 16 }, () => Connection.open(server.port)),
  );
  const request = toPost(`/chat/${room}`, 'hello, this is a message');
  const counts = await Promise.all(
    connections.map(async (connection) => {
      let count = 0;
      for (; performance.now() < endMs; count += 1) {
        await expectStatus(connection, request, [201]);
      }
      connection.close();
      return count;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * Messages come at a set rate, whether or not the earlier ones are answered, and each latency counts
 * from the moment when its message was due: a server that stands still pays for all that it kept
 * waiting (Tene, «coordinated omission»).
 */
export async function growRate({ seconds, rates }) {
  const server = await startChat(makeFolder());
  const connections = await Promise.all(
    Array.from({ length: 200 }, () => Connection.open(server.port)),
  );
  await sendAtRate(connections, rates[0], 1);
  const p50 = [];
  const p99 = [];
  let saturation = rates[0];
  for (const rate of rates) {
    const { delays, tookSeconds } = await sendAtRate(connections, rate, seconds * 2);
    const reached = delays.length / tookSeconds;
    p50.push([rate, median(delays)]);
    p99.push([rate, quantile(delays, 0.99)]);
    if (reached > saturation) saturation = reached;
    if (reached < rate * 0.9) break;
    await pause(200);
  }
  const half = await sendAtRate(connections, Math.round(saturation / 2), seconds * 4);
  for (const connection of connections) connection.close();
  await server.stop();
  const shares = [0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999];
  const spread = shares.map((share) => [1 / (1 - share), quantile(half.delays, share)]);
  return [
    {
      file: 'rate.svg',
      title: 'Latency of a durable POST by the rate of messages, one room',
      x: 'messages/s, sent whether or not answers come',
      y: 'ms from when it was due',
      lines: { p50, p99 },
    },
    {
      file: 'latency.svg',
      title: `Latency of a durable POST at half of saturation: ${Math.round(saturation / 2)}/s`,
      x: 'one message in so many is slower (2: the median, 100: p99, 1000: p99.9)',
      y: 'ms from when it was due',
      lines: { latency: spread },
    },
  ];
}

async function sendAtRate(connections, rate, seconds) {
  const request = toPost('/chat/rate', 'hello, this is a message');
  const total = Math.round(rate * seconds);
  const delays = [];
  const begunMs = performance.now();
  let next = 0;
  const work = connections.map(async (connection) => {
    while (next < total) {
      const dueMs = begunMs + (next * 1000) / rate;
      next += 1;
      const waitMs = dueMs - performance.now();
      // Timers count whole milliseconds: one that is due within the next is sent at once.
      if (waitMs >= 1) await pause(waitMs);
      await expectStatus(connection, request, [201]);
      delays.push(Math.max(0, performance.now() - dueMs));
    }
  });
  await Promise.all(work);
  return { delays, tookSeconds: (performance.now() - begunMs) / 1000 };
}
