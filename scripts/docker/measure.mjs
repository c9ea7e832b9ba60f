// Measures what the topology of compose.yaml carries on this machine: memory, live delivery and reads, with one replica
// and with three:
//   bash scripts/docker/with-engine.sh node scripts/docker/measure.mjs [readers]
// All load goes to 127.0.0.1, is bounded in number and time, and everything is removed at the end. The load generator,
// nginx and the replicas share the machine, so the figures are those of the whole, not of a replica alone.
import { execFileSync } from 'node:child_process';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { fail, mustRun, root } from '../lib.mjs';

const subscriberCount = Number(process.argv[2] ?? 1000);
if (!(subscriberCount >= 1 && subscriberCount <= 5000)) fail('how many readers? 1 to 5000');
const project = 'chat-measure';
const port = await findFreePort();
const env = { ...process.env, CHAT_PORT: String(port), CHAT_IMAGE: project, TZ: 'UTC' };

mustRun('bash', ['scripts/docker/images.sh', 'node', 'nginx']);
process.on('exit', () => {
  compose('down', '--volumes');
  docker('image', 'rm', '--force', project);
});
for (const replicaCount of [1, 3]) await measure(replicaCount);

/** Prints one line for each thing measured. */
async function measure(replicaCount) {
  compose('down', '--volumes');
  compose('up', '--detach', '--build', '--scale', `chat=${replicaCount}`);
  await pause(2000);
  const say = (what, figure) => console.log(`${replicaCount} replica(s): ${what}: ${figure}`);
  say(
    'memory of a replica at rest',
    toMegabytes(sum('process_resident_memory_bytes') / replicaCount),
  );
  const before = { memory: sum('process_resident_memory_bytes'), nginx: readNginxMemory() };
  const readers = await openReaders();
  await pause(3000);
  const grownBytes = sum('process_resident_memory_bytes') - before.memory;
  say(
    `memory of a live reader in the replicas, of ${subscriberCount}`,
    toKilobytes(grownBytes / subscriberCount),
  );
  const nginxBytes = readNginxMemory() - before.nginx;
  say('memory of a live reader in nginx', toKilobytes(nginxBytes / subscriberCount));
  const cost = startMeter();
  const delays = await deliver(readers, 50);
  say('deliveries', `${delays.length} of ${50 * subscriberCount}`);
  say('from sending to the reader, p50 and p99', `${at(delays, 0.5)} and ${at(delays, 0.99)} ms`);
  say('CPU for a delivery', cost(delays.length));
  for (const reader of readers) reader.destroy();
  await pause(1000);
  const { text, headers } = await ask({});
  const room = `of a room of ${(text.length / 1024).toFixed(1)} KiB`;
  say(`GETs ${room}`, await repeat(() => ({})));
  say('GETs answered 304', await repeat(() => ({ headers: { 'if-none-match': headers.etag } })));
}

/** Opens the readers, a hundred at a time, and resolves when each has its first event. */
async function openReaders() {
  const readers = [];
  while (readers.length < subscriberCount) {
    const batch = Math.min(100, subscriberCount - readers.length);
    readers.push(...(await Promise.all(Array.from({ length: batch }, openReader))));
  }
  return readers;
}

function openReader() {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'text/event-stream' };
    const options = {
      host: '127.0.0.1',
      port,
      path: '/chat/general?since=now',
      headers,
      agent: false,
    };
    const reader = request(options, (answer) => {
      let rest = '';
      answer.on('data', (chunk) => {
        rest += chunk;
        for (;;) {
          const sent = /sent at (\d+\.\d+)\n/.exec(rest);
          if (!sent) break;
          reader.delays?.push(performance.now() - Number(sent[1]));
          rest = rest.slice(sent.index + sent[0].length);
        }
      });
      answer.on('error', () => {});
      answer.once('data', () => resolve(reader));
    });
    reader.on('error', reject);
    reader.end();
  });
}

/** Posts messages, ten a second, and gives how long each took to each reader, sorted. */
async function deliver(readers, messageCount) {
  const delays = [];
  for (const reader of readers) reader.delays = delays;
  for (let n = 0; n < messageCount; n += 1) {
    const { body, ...options } = post();
    await ask(options, body);
    await pause(100);
  }
  for (let n = 0; n < 100 && delays.length < messageCount * readers.length; n += 1) await pause(50);
  return delays.sort((a, b) => a - b);
}

/** Repeats a request on 32 connections for 5 s. @returns the rate and the CPU time of each */
async function repeat(make) {
  const connectionCount = 32;
  const agent = new Agent({ keepAlive: true, maxSockets: connectionCount });
  const cost = startMeter();
  const endMs = performance.now() + 5000;
  let count = 0;
  const work = async () => {
    while (performance.now() < endMs) {
      const { status } = await ask({ ...make(), agent });
      if (status >= 400) fail(`answered ${status}`);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: connectionCount }, work));
  agent.destroy();
  return `${Math.round(count / 5)}/s; CPU for each: ${cost(count)}`;
}

function post() {
  const body = `username=measure&message=sent+at+${performance.now().toFixed(3)}`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', headers, body };
}

/** Begins to count CPU time. @returns a function that divides it among a number of events */
function startMeter() {
  const before = [sum('process_cpu_seconds_total'), readNginxCpu()];
  return (count) => {
    const after = [sum('process_cpu_seconds_total'), readNginxCpu()];
    const [replicas, nginx] = after.map((one, n) => (((one - before[n]) * 1e6) / count).toFixed(1));
    return `${replicas} µs in the replicas, ${nginx} µs in nginx`;
  };
}

/** The seconds of CPU that nginx has used, all its processes together. */
function readNginxCpu() {
  const [id] = compose('ps', '--quiet', 'nginx').split('\n');
  const stats = docker('exec', id, 'sh', '-c', 'cat /proc/[0-9]*/stat 2>/dev/null || true');
  const ticks = stats
    .split('\n')
    .filter((line) => line.includes('(nginx)'))
    .map((line) => line.split(' '))
    .map((fields) => Number(fields[13]) + Number(fields[14]));
  return ticks.reduce((total, one) => total + one, 0) / 100;
}

function ask(options, body) {
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port, path: '/chat/general', ...options };
    const asking = request(target, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
      answer.on('error', reject);
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

/** The sum of a metric over all replicas, asked from inside: nginx doesn't show it. */
function sum(metric) {
  const script = `require('node:http').get({port:8080,path:'/-/metrics'},(a)=>a.pipe(process.stdout))`;
  const ids = compose('ps', '--quiet', 'chat').split('\n').filter(Boolean);
  const texts = ids.map((id) => docker('exec', id, 'node', '-e', script));
  return texts.reduce((total, text) => {
    const value = new RegExp(`^${metric} (.*)$`, 'm').exec(text)?.[1];
    return total + Number(value ?? fail(`no ${metric}`));
  }, 0);
}

function readNginxMemory() {
  const [id] = compose('ps', '--quiet', 'nginx').split('\n');
  const used = docker('stats', '--no-stream', '--format', '{{.MemUsage}}', id);
  const [, amount, unit] = /^([\d.]+)([KMG]?)i?B/.exec(used) ?? fail(`docker stats: ${used}`);
  return Number(amount) * { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[unit];
}

function compose(...args) {
  return docker('compose', '--project-name', project, ...args);
}

function docker(...args) {
  const options = { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
  return execFileSync('docker', args, options).trim();
}

function at(sorted, share) {
  return (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1);
}

function toMegabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function toKilobytes(bytes) {
  return `${(bytes / 1e3).toFixed(1)} KB`;
}

function pause(durationMs) {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

function findFreePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: found } = server.address();
      server.close(() => resolve(found));
    });
  });
}
