// Clients that talk through a database's faults, and know what each answer says of their message.
import { Agent } from 'node:http';
import { findViolations, type Seen, type Sent } from '../support/checker.ts';
import { ask, read } from '../support/http.ts';
import { pause, type Server } from '../support/server.ts';

/** The body of the one refusal that leaves open whether the message is there. */
export const unknownOutcome = /may be there or not/;

/** A crowd that talks until it is stopped. */
export interface Talk {
  sent: Sent[];
  seen: Seen[];
  /** How many were acknowledged so far. */
  count(): number;
  /** Answers that no fault of a database explains. */
  strange: string[];
  stop(): Promise<void>;
}

/** Lets clients talk, one message after another each, and read now and then. */
export function startTalk(servers: Server[], rooms: string[], clientCount: number): Talk {
  let isOver = false;
  let count = 0;
  const talk: Talk = { sent: [], seen: [], strange: [], count: () => count, stop: async () => {} };
  const send = async (client: string, n: number, agent: Agent) => {
    const room = rooms[n % rooms.length]!;
    const one: Sent = {
      client,
      room,
      username: client,
      message: `${client}/${n}`,
      sentAtMs: performance.now(),
    };
    talk.sent.push(one);
    const answer = await ask(servers[n % servers.length]!, {
      method: 'POST',
      path: `/chat/${encodeURIComponent(room)}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `username=${client}&message=${encodeURIComponent(one.message)}`,
      agent,
    });
    if (answer.status === 201) {
      one.answeredAtMs = performance.now();
      one.line = answer.text;
      count += 1;
    } else if (answer.status === 503 && answer.headers['retry-after']) {
      one.isRefused = !unknownOutcome.test(answer.text);
      await pause(20);
    } else {
      talk.strange.push(`POST: ${answer.status} ${answer.text}`);
    }
  };
  const look = async (n: number) => {
    const room = rooms[n % rooms.length]!;
    const beganAtMs = performance.now();
    const answer = await read(servers[n % servers.length]!, room);
    if (answer.status === 200) talk.seen.push({ room, beganAtMs, text: answer.text });
    else if (answer.status !== 503) talk.strange.push(`GET: ${answer.status} ${answer.text}`);
  };
  const clients = Array.from({ length: clientCount }, async (_, index) => {
    const agent = new Agent({ keepAlive: true });
    for (let n = index; !isOver; n += 1) {
      try {
        await send(`c${index}`, n, agent);
        if (n % 25 === 0) await look(n);
      } catch (error) {
        // A replica that was killed leaves its clients not knowing.
        if (!isCutOff(error)) talk.strange.push(String(error));
        await pause(20);
      }
    }
    agent.destroy();
  });
  talk.stop = async () => {
    isOver = true;
    await Promise.all(clients);
  };
  return talk;
}

function isCutOff(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(code);
}

/** Judges what was said, against what the rooms hold in the end on every replica. */
export async function judgeTalk(talk: Talk, servers: Server[], names: string[]): Promise<string[]> {
  const violations = [...talk.strange];
  const rooms = new Map<string, string>();
  for (const name of names) {
    const texts = await Promise.all(servers.map(async (server) => (await read(server, name)).text));
    if (new Set(texts).size !== 1) violations.push(`${name} is not the same on every replica`);
    rooms.set(name, texts[0]!);
  }
  return [...violations, ...findViolations({ sent: talk.sent, seen: talk.seen, rooms })];
}
