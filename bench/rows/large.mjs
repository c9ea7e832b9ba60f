// A room of 1 GB: what it costs to write to it, to read its tail, and to read all of it.
import fs from 'node:fs';
import path from 'node:path';
import { Connection, expectStatus, toGet, toPost } from '../lib/client.mjs';
import { startNginx } from '../lib/peers.mjs';
import { cores, makeFolder, pause, readRssBytes, run, startChat } from '../lib/processes.mjs';
import { writeRoom } from '../lib/rooms.mjs';
import { compare, ensure, limit, median } from '../lib/stats.mjs';

const KB = 1024;
const MB = KB * KB;

/** Latency in a large room beside that in a small one. */
export async function useLarge(effort) {
  const folder = makeFolder();
  const chat = await startChat(folder);
  writeRoom(folder, 'large', effort.largeBytes);
  writeRoom(folder, 'tail', 64 * KB);
  writeRoom(folder, 'small', KB);
  const name = toSizeName(effort.largeBytes);
  const tail = 'Range: bytes=-65536\r\n';
  const posts = ['large', 'small'].map((room) => toPost(`/chat/${room}`, 'hello'));
  const gets = ['large', 'tail'].map((room) => toGet(`/chat/${room}`, tail));
  const [large, small] = await takeTurns(chat.port, posts, [201], effort);
  const [largeTail, smallTail] = await takeTurns(chat.port, gets, [200, 206], effort);
  await chat.stop();
  const row = { unit: 'ms', most: 1.2, note: 'latency, one client, median of each round' };
  return [
    compare({
      ...row,
      what: `POST into a ${name} room`,
      beside: 'the same on 1 KB',
      ours: large,
      theirs: small,
    }),
    compare({
      ...row,
      what: `tail Range of a ${name} room`,
      beside: 'the same on 64 KB',
      ours: largeTail,
      theirs: smallTail,
    }),
  ];
}

/** Sends the requests in turns; gives the median latency of each by round, in milliseconds. */
async function takeTurns(port, requests, statuses, { rounds, samples }) {
  const connection = await Connection.open(port);
  const medians = requests.map(() => []);
  for (let round = 0; round <= rounds; round += 1) {
    const times = requests.map(() => []);
    for (let n = 0; n < samples; n += 1) {
      for (const [index, request] of requests.entries()) {
        const begunMs = performance.now();
        await expectStatus(connection, request, statuses);
        times[index].push(performance.now() - begunMs);
      }
    }
    if (round > 0) for (const [index, some] of times.entries()) medians[index].push(median(some));
  }
  connection.close();
  return medians;
}

/** Reading all of a large room beside nginx, and the memory that it takes. */
export async function readLarge(effort) {
  const folder = makeFolder();
  fs.chmodSync(folder, 0o755);
  const file = writeRoom(folder, 'large', effort.largeBytes);
  const chat = await startChat(folder);
  const nginx = await startNginx('nginx-static.conf', { rooms: folder });
  const bytes = fs.statSync(file).size;
  const urls = [`${chat.url}/chat/large`, `${nginx.url}/${path.basename(file)}`];
  const rates = urls.map(() => []);
  await download(urls[0], bytes);
  const before = readRssBytes(chat.pid);
  const memory = watchMemory(chat.pid);
  for (let round = 0; round < effort.rounds; round += 1) {
    for (const [index, url] of urls.entries()) rates[index].push(await download(url, bytes));
  }
  const grown = memory.stop() - before;
  const slow = await readSlowly(chat, 20);
  await Promise.all([chat.stop(), nginx.stop()]);
  const name = toSizeName(effort.largeBytes);
  return [
    compare({
      what: `full GET of a ${name} room`,
      beside: 'nginx without sendfile',
      unit: 'MB/s',
      least: 0.65,
      ours: rates[0],
      theirs: rates[1],
    }),
    limit({ what: '— RSS grows by', beside: '–', unit: 'MB', most: 48, ours: [grown / MB] }),
    limit({
      what: '— 20 slow readers of it',
      beside: '–',
      unit: 'MB',
      most: 64,
      ours: [slow / MB],
    }),
  ];
}

/** @returns MB a second */
async function download(url, bytes) {
  const words = ['curl', '-sf', '-o', '/dev/null', '-w', '%{size_download} %{time_total}', url];
  const { stdout } = await run(words, { core: cores?.load }).ended;
  const [size, seconds] = stdout.split(' ').map(Number);
  ensure(size === bytes, `${url} gave ${size} of ${bytes} bytes`);
  return size / MB / seconds;
}

/** @returns by how much the server's memory grew while so many readers took little of a room */
async function readSlowly(chat, count) {
  const before = readRssBytes(chat.pid);
  const memory = watchMemory(chat.pid);
  const url = `${chat.url}/chat/large`;
  const words = ['curl', '-s', '-o', '/dev/null', '--limit-rate', '200k', url];
  const readers = Array.from({ length: count }, () => run(words, { core: cores?.load }));
  await pause(4000);
  const grown = memory.stop() - before;
  for (const { child } of readers) child.kill();
  await Promise.all(readers.map(({ ended }) => ended));
  return grown;
}

/** Looks at a process's memory again and again; `stop` gives the most that was seen. */
function watchMemory(pid) {
  let most = readRssBytes(pid);
  const look = () => {
    most = Math.max(most, readRssBytes(pid));
  };
  const timer = setInterval(look, 20);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return most;
    },
  };
}

function toSizeName(bytes) {
  return bytes >= 1 << 30 ? `${bytes / (1 << 30)} GB` : `${bytes / MB} MB`;
}
