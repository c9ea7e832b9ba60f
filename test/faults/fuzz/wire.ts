// A whole server under bytes that no client would send: requests damaged, cut, pipelined and slow,
// from many connections at once.
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fromFileStem } from '../../../lib/room/name.ts';
import { get } from '../../support/http.ts';
import { listLocks, makeTempFolder } from '../../support/paths.ts';
import { pause, type Server, startServer, waitUntil } from '../../support/server.ts';
import type { Random } from '../crash/random.ts';
import { damage, makeText } from './texts.ts';

/** A server under attack. */
export class Target {
  readonly server: Server;
  readonly faults: string[] = [];
  readonly statuses = new Map<string, number>();
  connectionCount = 0;
  #handleCount = 0;

  private constructor(server: Server) {
    this.server = server;
  }

  /** Starts one in a folder that has nothing else above it. */
  static async start(): Promise<Target> {
    const store = join(makeTempFolder('fuzz'), 'rooms');
    const target = new Target(await startServer({ store, env: { CHAT_LOG: 'warn' } }));
    await get(target.server, '/chat/warm');
    target.#handleCount = target.#countHandles();
    return target;
  }

  /** Attacks with one connection until that is over. */
  attack(random: Random): Promise<void> {
    this.connectionCount += 1;
    return new Promise((resolve) => {
      const socket = connect({ port: this.server.port, host: '127.0.0.1', allowHalfOpen: true });
      const chunks: Buffer[] = [];
      let size = 0;
      socket.on('data', (chunk) => {
        // A stream of a room may go on for ever.
        size += chunk.length;
        if (size < 1 << 16) chunks.push(chunk);
      });
      socket.on('error', () => undefined);
      socket.on('end', () => socket.end());
      socket.on('close', () => {
        this.#readStatuses(Buffer.concat(chunks).toString('latin1'));
        resolve();
      });
      socket.on('connect', () => void sendBadly(socket, random));
      setTimeout(() => socket.destroy(), 200 + random.below(1500)).unref();
    });
  }

  #readStatuses(text: string): void {
    for (const [, status] of text.matchAll(/(?:^|\n)HTTP\/1\.1 (\d{3}) /g)) {
      this.statuses.set(status!, (this.statuses.get(status!) ?? 0) + 1);
      if (status! >= '500' && status !== '503' && status !== '505') {
        this.faults.push(`answered ${status}: ${text.slice(0, 300)}`);
      }
    }
  }

  /** What must hold in the end: it serves, holds nothing, and wrote nothing where it should not. */
  async judge(): Promise<string[]> {
    const { server, faults } = this;
    if (server.child.exitCode !== null) return [...faults, `it ended: ${server.stderr.join('\n')}`];
    const isFree = () => this.#countHandles() <= this.#handleCount + 20;
    await waitUntil('free of handles', isFree).catch((error) => faults.push(error.message));
    const healthy = await get(server, '/-/healthy').catch((error) => ({ status: error }));
    if (healthy.status !== 200) faults.push(`not healthy: ${healthy.status}`);
    for (const line of server.stdout) {
      if (/ error /.test(line)) faults.push(`log: ${line.slice(0, 500)}`);
    }
    for (const line of server.stderr) faults.push(`standard error: ${line}`);
    this.#judgeFiles();
    return faults;
  }

  async end(): Promise<void> {
    await this.server.kill();
  }

  /** Its memory, in bytes. */
  get memoryBytes(): number {
    const status = readFileSync(`/proc/${this.server.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
  }

  #countHandles(): number {
    return readdirSync(`/proc/${this.server.pid}/fd`).length;
  }

  #judgeFiles(): void {
    const { store } = this.server;
    const beside = readdirSync(dirname(store)).filter((name) => name !== 'rooms');
    if (beside.length > 0) this.faults.push(`files beside the folder: ${beside}`);
    for (const entry of readdirSync(store, { withFileTypes: true })) {
      if (entry.name === '.locks' || entry.name === '.journal') continue;
      const isRoom =
        /\.txt$/.test(entry.name) && fromFileStem(entry.name.slice(0, -4)) !== undefined;
      if (!entry.isFile() || !isRoom) this.faults.push(`a file of no room: ${entry.name}`);
      const text = readFileSync(join(store, entry.name), 'utf8');
      if (!/^(?:\[[^\n]+\] [^\n]+: [^\n]+\n)*$/.test(text)) {
        this.faults.push(`${entry.name} has what is no line`);
      }
    }
    const locks = listLocks(join(store, '.locks'));
    if (locks.length > 0) this.faults.push(`locks are left: ${locks}`);
  }
}

async function sendBadly(socket: Socket, random: Random): Promise<void> {
  const count = 1 + (random.chance(0.3) ? random.below(20) : 0);
  let bytes: Buffer = Buffer.concat(
    Array.from({ length: count }, () => Buffer.from(makeRequest(random))),
  );
  if (random.chance(0.4)) bytes = damage(random, bytes);
  const isSlow = random.chance(0.2);
  for (let at = 0; at < bytes.length && !socket.destroyed; ) {
    const length = isSlow ? 1 + random.below(50) : bytes.length;
    socket.write(bytes.subarray(at, at + length));
    at += length;
    if (isSlow) await pause(random.below(20));
  }
  // It goes away, says that it has no more, takes nothing of what comes, or waits.
  const end = random.next();
  if (end < 0.1) socket.destroy();
  else if (end < 0.4) socket.end();
  else if (end < 0.5) socket.pause();
}

/** Text as it may stand in a header field or target, mostly. */
function makeField(random: Random, most: number): string {
  const text = makeText(random, most);
  return random.chance(0.05) ? text : text.replace(/[^\x21-\x7e\x80-\xff]/g, '');
}

function makeRequest(random: Random): string {
  return random.chance(0.6) ? makeGoodRequest(random) : makeBadRequest(random);
}

/** One that the server takes, with a hostile body or field in it. */
function makeGoodRequest(random: Random): string {
  const path = `/chat/${random.pick(['a', 'b', 'Tea%20%26'])}`;
  if (random.chance(0.3)) {
    return `GET ${path} HTTP/1.1\r\nHost: h\r\n${makeHeaders(random).join('\r\n')}\r\n\r\n`.replace(
      '\r\n\r\n\r\n',
      '\r\n\r\n',
    );
  }
  const body = `username=${makeText(random, 2)}u&message=m${makeText(random, 10)}`;
  const type = 'Content-Type: application/x-www-form-urlencoded';
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  return `POST ${path} HTTP/1.1\r\nHost: h\r\n${type}\r\n${length}\r\n\r\n${body}`;
}

function makeBadRequest(random: Random): string {
  const method = random.pick([
    'GET',
    'POST',
    'POST',
    'HEAD',
    'PUT',
    'OPTIONS',
    'TRACE',
    'CONNECT',
    'x',
  ]);
  const room = random.chance(0.6)
    ? random.pick(['a', 'b', '%2e', 'Tea%20%26'])
    : makeField(random, 5);
  const path =
    random.pick([
      '/chat/',
      '/chat/',
      '/chat/',
      '/api/chat/',
      '/',
      '/static/',
      '/-/ready',
      '//',
      '',
    ]) + room;
  const query = random.chance(0.3)
    ? `?${random.pick(['since=', 'follow&since=', ''])}${makeText(random, 3)}`
    : '';
  const body = makeBody(random);
  const headers = [
    `Host: ${random.chance(0.9) ? 'h' : makeField(random, 3)}`,
    ...makeHeaders(random),
  ];
  const length = random.chance(0.9)
    ? Buffer.byteLength(body)
    : random.pick(['-1', '1e9', '99999999', '']);
  if (random.chance(0.95)) headers.push(`Content-Length: ${length}`);
  if (random.chance(0.04)) headers.push('Transfer-Encoding: chunked');
  const version = random.chance(0.95)
    ? random.pick(['1.1', '1.1', '1.0'])
    : random.pick(['2.0', '0.9', '']);
  const break_ = random.chance(0.95) ? '\r\n' : '\n';
  return `${method} ${path}${query} HTTP/${version}${break_}${headers.join(break_)}${break_}${break_}${body}`;
}

function makeHeaders(random: Random): string[] {
  const all = [
    ...['Content-Type: multipart/form-data; boundary=b0', 'Content-Type: application/json'],
    ...[`Content-Type: ${makeField(random, 4)}`, 'Accept: text/event-stream'],
    ...[`Accept: ${makeField(random, 4)}`, `Range: bytes=${makeField(random, 3)}`],
    ...[`If-None-Match: ${makeField(random, 3)}`, `If-Range: ${makeField(random, 3)}`],
    ...[`Last-Event-ID: ${makeField(random, 3)}`, 'Expect: 100-continue', 'Connection: upgrade'],
    ...['Upgrade: websocket', `Origin: ${makeField(random, 3)}`, 'Sec-Fetch-Site: cross-site'],
    ...[`X-Long: ${'z'.repeat(random.below(random.chance(0.1) ? 20_000 : 200))}`],
  ];
  const bad = [
    'Transfer-Encoding: gzip, chunked',
    'Content-Length: 3',
    'Content-Length: +3',
    ' folded',
  ];
  const form = random.chance(0.7) ? ['Content-Type: application/x-www-form-urlencoded'] : [];
  return [
    ...form,
    ...all.filter(() => random.chance(0.15)),
    ...bad.filter(() => random.chance(0.02)),
  ];
}

function makeBody(random: Random): string {
  if (random.chance(0.2)) return '';
  if (random.chance(0.2)) return `5\r\nuser=\r\n${random.pick(['0\r\n\r\n', 'zz\r\n', ''])}`;
  if (random.chance(0.05)) return 'x'.repeat(70_000);
  if (random.chance(0.2)) return JSON.stringify({ username: 'u', message: makeText(random, 10) });
  if (random.chance(0.5))
    return `username=u&message=${makeText(random, 10).replace(/[&+%\r\n]/g, '')}`;
  const part = `--b0\r\nContent-Disposition: form-data; name="${random.pick(['username', 'message', 'x'])}"`;
  return `${part}\r\n\r\n${makeText(random, 5)}\r\n--b0--\r\n`;
}
