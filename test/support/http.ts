// Requests as tests write them: no redirect is followed, nothing is decoded, retried or added.
import { type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Server } from './server.ts';
import { withDeadline } from './server.ts';

/** What came back. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The body as UTF-8. */
  text: string;
}

/** One request; the path is sent as it stands, a header that is undefined is not sent. */
export interface Ask {
  method?: string;
  path?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Uint8Array;
  agent?: Agent;
}

/** Where to ask: 127.0.0.1 unless another host is named. */
type Target = Pick<Server, 'port'> & { host?: string };

const answerTimeoutMs = 60_000;

/** Sends one request and reads the whole answer. */
export function ask(server: Target, what: Ask): Promise<Answer> {
  const { method = 'GET', path = '/', body, agent } = what;
  const given = Object.entries(what.headers ?? {}).filter(([, value]) => value !== undefined);
  const headers = Object.fromEntries(given);
  const answer = new Promise<Answer>((resolve, reject) => {
    const options = { host: server.host ?? '127.0.0.1', port: server.port, method, path, headers };
    const outgoing = request({ ...options, agent: agent ?? false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const whole = Buffer.concat(chunks);
        const status = incoming.statusCode ?? 0;
        resolve({ status, headers: incoming.headers, body: whole, text: whole.toString('utf8') });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
  return withDeadline(answer, answerTimeoutMs, () => `no answer to ${method} ${path}`);
}

/** Reads one value from the service's metrics. */
export async function readMetric(server: Target, name: string): Promise<number> {
  const { text } = await get(server, '/-/metrics');
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
}

/** GETs a path. */
export function get(server: Target, path: string, headers: OutgoingHttpHeaders = {}) {
  return ask(server, { path, headers });
}

/** GETs a room, named as people name it. */
export function read(server: Target, room: string, headers: OutgoingHttpHeaders = {}) {
  return get(server, `/chat/${encodeURIComponent(room)}`, headers);
}

/** POSTs fields as a urlencoded form to a room, named as people name it. */
export function post(
  server: Target,
  room: string,
  fields: Record<string, string>,
  headers: OutgoingHttpHeaders = {},
) {
  const body = new URLSearchParams(fields).toString();
  return postBody(server, `/chat/${encodeURIComponent(room)}`, body, headers);
}

/** POSTs a body to a path, urlencoded unless the headers say otherwise. */
export function postBody(
  server: Target,
  path: string,
  body: string | Uint8Array,
  headers: OutgoingHttpHeaders = {},
) {
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  const length = { 'content-length': Buffer.byteLength(body) };
  return ask(server, { method: 'POST', path, body, headers: { ...type, ...length, ...headers } });
}

/** A form as curl and browsers send it, with file parts where a value is an object. */
export function makeMultipart(
  fields: [name: string, value: string | { filename: string; type: string; content: string }][],
  boundary = '------------------------d74496d66958873e',
): { body: Buffer; headers: OutgoingHttpHeaders } {
  const parts = fields.map(([name, value]) => {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`;
    if (typeof value === 'string') return `${head}\r\n\r\n${value}\r\n`;
    const file = `; filename="${value.filename}"\r\nContent-Type: ${value.type}`;
    return `${head}${file}\r\n\r\n${value.content}\r\n`;
  });
  const body = Buffer.from(`${parts.join('')}--${boundary}--\r\n`);
  return { body, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
}

/** A bare connection: for what no client library would send. */
export interface Wire {
  socket: Socket;
  /** All that came so far, as Latin-1. */
  received(): string;
  send(text: string | Uint8Array): void;
  /** Waits until what came matches, and gives all of it. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Waits until the server has ended the connection, and gives all that came. */
  waitForEnd(timeoutMs?: number): Promise<string>;
  close(): void;
}

/** Opens a bare connection to 127.0.0.1. */
export async function openWire(server: Target): Promise<Wire> {
  const socket = connect(server.port, '127.0.0.1');
  let text = '';
  let isEnded = false;
  let failure: Error | undefined;
  let notice = () => {};
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    notice();
  });
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => {
    isEnded = true;
    notice();
  });
  const until = (isDone: () => boolean, timeoutMs: number) => {
    const done = new Promise<string>((resolve, reject) => {
      notice = () => {
        if (isDone()) resolve(text);
        else if (isEnded) reject(failure ?? new Error(`connection ended after ${quote(text)}`));
      };
      notice();
    });
    return withDeadline(done, timeoutMs, () => `got only ${quote(text)}`);
  };
  await withDeadline(
    new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    }),
    answerTimeoutMs,
    () => 'no connection',
  );
  return {
    socket,
    received: () => text,
    send: (data) => void socket.write(data),
    waitFor: (pattern, timeoutMs = 20_000) => until(() => pattern.test(text), timeoutMs),
    waitForEnd: (timeoutMs = 20_000) => until(() => isEnded, timeoutMs),
    close: () => void socket.destroy(),
  };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 600 ? `${text.slice(0, 600)}…` : text);
}
