// A carrier between clients and replicas, as proxies are at their worst: it loses answers and requests,
// delivers copies, and delivers them late.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, ask } from './http.ts';
import { pause, type Server } from './server.ts';

/** What becomes of one request. */
export interface Fate {
  /** The replicas that get a copy, and how long after the request came. */
  copies: { server: Pick<Server, 'port'>; delayMs: number }[];
  /**
   * What its client gets: the first answer; a connection that is cut at once, or when the first answer
   * is there.
   */
  client: 'answer' | 'cut' | 'cut at the answer';
}

/** A carrier that listens. */
export interface Carrier {
  port: number;
  /** Resolves when no copy is on its way any more. */
  idle(): Promise<void>;
  close(): void;
}

/** Starts a carrier on a free port of 127.0.0.1, which asks what becomes of each request. */
export async function startCarrier(decide: () => Fate): Promise<Carrier> {
  const onTheirWay = new Set<Promise<unknown>>();
  const carry = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { copies, client } = decide();
    const answers = copies.map(({ server, delayMs }) => {
      const copy = deliver(request, Buffer.concat(chunks), server, delayMs);
      onTheirWay.add(copy);
      return copy.finally(() => onTheirWay.delete(copy));
    });
    const answer = client === 'cut' ? undefined : await Promise.race(answers);
    if (answer === undefined || client !== 'answer') request.socket.destroy();
    else response.writeHead(answer.status, toFields(answer)).end(answer.body);
  };
  const server = createServer((request, response) => {
    carry(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    idle: async () => {
      while (onTheirWay.size > 0) await Promise.all(onTheirWay);
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Delivers a copy; a replica that is killed meanwhile gives no answer. */
async function deliver(
  { method = 'GET', url = '/', headers }: IncomingMessage,
  body: Buffer,
  server: Pick<Server, 'port'>,
  delayMs: number,
): Promise<Answer | undefined> {
  if (delayMs > 0) await pause(delayMs);
  const own = { ...headers, 'transfer-encoding': undefined, connection: undefined };
  const fields = { ...own, 'content-length': body.length };
  return ask(server, { method, path: url, headers: fields, body }).catch(() => undefined);
}

function toFields({ headers }: Answer): Record<string, string> {
  const { 'chat-cursor': cursor, 'content-type': type } = headers;
  return { 'chat-cursor': String(cursor ?? ''), 'content-type': String(type ?? '') };
}
