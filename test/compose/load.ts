// People in a room: writers and readers that behave like the clients handed out with the exercise (keep-alive HTTP on
// /api/chat/<room>, fields `username` and `msg`), and readers that follow it live. What they met is judged afterwards.
import { Agent } from 'node:http';
import { findViolations, type Seen, type Sent } from '../support/checker.ts';
import { type Answer, ask, read } from '../support/http.ts';
import { pause, waitUntil } from '../support/server.ts';
import { followRoom, type LiveReader } from '../support/sse.ts';

/** Who is in the room. */
export interface LoadOptions {
  room: string;
  writers?: number;
  /** Readers that GET the room again and again. */
  pollers?: number;
  /** Readers that follow it live. */
  live?: number;
  /** The pause between a writer's answer and its next message. */
  writePauseMs?: number;
  pollPauseMs?: number;
}

/** A request that did not end as it should. */
export interface Failure {
  atMs: number;
  who: string;
  what: string;
  /** Whether the head of an answer with status 200 had come before it failed. */
  hadBegun: boolean;
}

/** What happened, once everybody has left. */
export interface LoadReport {
  /** Everything that contradicts the contract; empty when all is well. */
  violations: string[];
  failedGets: Failure[];
  failedPosts: Failure[];
  /** Failures of live streams, as sentences. */
  failedStreams: string[];
  acknowledgedCount: number;
  getCount: number;
  streamCount: number;
  resetCount: number;
  /** The longest time between two GETs that were answered, over all pollers. */
  longestSilenceMs: number;
  /** How long the slowest answered GET and POST took. */
  slowestGetMs: number;
  slowestPostMs: number;
  /** Replicas that answered, by the host name in `Chat-Server`. */
  servers: Set<string>;
}

/** A crowd in a room. */
export interface Load {
  /** How many messages were acknowledged so far. */
  acknowledgedCount(): number;
  /** How long the slowest answered GET took so far: how fast this machine is just now. */
  slowestGetMs(): number;
  /** Replicas that answered so far, by name and host. */
  servers(): ReadonlySet<string>;
  /** Waits until so many more GETs were answered. */
  waitForGets(count: number): Promise<void>;
  /** Stops everybody without judging: for a test that has failed already. */
  abandon(): void;
  /** Lets everybody finish, waits until the live readers have everything, and judges. */
  stop(): Promise<LoadReport>;
}

type Target = { port: number };

/** The name of the replica that answered, as in `brave-otter (1a2b3c)`. */
export function serverOf(answer: Pick<Answer, 'headers'>): string {
  return String(answer.headers['chat-server'] ?? '');
}

/** Lets writers and readers into a room until they are stopped. */
export function startLoad(target: Target, options: LoadOptions): Load {
  const crowd = new Crowd(target, options);
  return {
    acknowledgedCount: () => crowd.acknowledgedCount,
    slowestGetMs: () => crowd.slowestGetMs,
    servers: () => crowd.servers,
    waitForGets: (count) => crowd.waitForGets(count),
    abandon: () => crowd.abandon(),
    stop: () => crowd.stop(),
  };
}

class Crowd {
  acknowledgedCount = 0;
  slowestGetMs = 0;
  readonly servers = new Set<string>();
  readonly #target: Target;
  readonly #options: Required<LoadOptions>;
  readonly #sent: Sent[] = [];
  readonly #seen: Seen[] = [];
  readonly #failedGets: Failure[] = [];
  readonly #failedPosts: Failure[] = [];
  readonly #live: LiveReader[] = [];
  readonly #working: Promise<void>[] = [];
  #isStopped = false;
  #getCount = 0;
  #lastGetAtMs = performance.now();
  #longestSilenceMs = 0;
  #slowestPostMs = 0;

  constructor(target: Target, options: LoadOptions) {
    this.#target = target;
    const usual = { writers: 4, pollers: 4, live: 4, writePauseMs: 60, pollPauseMs: 250 };
    this.#options = { ...usual, ...options };
    const { writers, pollers, live, room } = this.#options;
    for (let n = 0; n < writers; n += 1) this.#working.push(this.#write(`writer ${n}`));
    for (let n = 0; n < pollers; n += 1) this.#working.push(this.#poll(`reader ${n}`));
    for (let n = 0; n < live; n += 1) this.#live.push(followRoom(target, room));
  }

  async #write(who: string): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; !this.#isStopped; n += 1) {
      await this.#say(who, `${who} says ${n}`, agent);
      await pause(this.#options.writePauseMs);
    }
    agent.destroy();
  }

  async #say(who: string, message: string, agent: Agent): Promise<void> {
    const { room } = this.#options;
    const sentAtMs = performance.now();
    const one: Sent = { client: who, room, username: who, message, sentAtMs };
    this.#sent.push(one);
    const body = new URLSearchParams({ username: who, msg: message }).toString();
    const path = `/api/chat/${encodeURIComponent(room)}`;
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
    };
    const fail = (what: string) =>
      this.#failedPosts.push({ atMs: performance.now(), who, what, hadBegun: false });
    try {
      const answer = await ask(this.#target, { method: 'POST', path, headers, body, agent });
      const tookMs = performance.now() - sentAtMs;
      if (answer.status === 201) {
        one.line = answer.text;
        one.answeredAtMs = performance.now();
        this.acknowledgedCount += 1;
        this.#slowestPostMs = Math.max(this.#slowestPostMs, tookMs);
        this.servers.add(serverOf(answer));
      } else {
        // A refusal says that nothing is stored; 502 is nginx's word that it can't know.
        if (answer.status !== 502) one.isRefused = true;
        fail(`${answer.status} after ${tookMs.toFixed(0)} ms: ${answer.text.trim()}`);
      }
    } catch (error) {
      fail(`${(error as Error).message}`);
    }
  }

  async #poll(who: string): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.#isStopped) {
      await this.#readAll(who, agent);
      await pause(this.#options.pollPauseMs);
    }
    agent.destroy();
  }

  async #readAll(who: string, agent: Agent): Promise<void> {
    const { room } = this.#options;
    const beganAtMs = performance.now();
    this.#getCount += 1;
    try {
      const path = `/api/chat/${encodeURIComponent(room)}`;
      const answer = await ask(this.#target, { path, agent });
      const nowMs = performance.now();
      if (answer.status === 200) {
        this.#seen.push({ room, beganAtMs, text: answer.text });
        this.#longestSilenceMs = Math.max(this.#longestSilenceMs, nowMs - this.#lastGetAtMs);
        this.#lastGetAtMs = nowMs;
        this.slowestGetMs = Math.max(this.slowestGetMs, nowMs - beganAtMs);
        this.servers.add(serverOf(answer));
      } else {
        const what = `${answer.status} after ${(nowMs - beganAtMs).toFixed(0)} ms`;
        this.#failedGets.push({ atMs: nowMs, who, what, hadBegun: false });
      }
    } catch (error) {
      const { message } = error as Error;
      // Node's word for an answer whose head came and whose body did not.
      const hadBegun = message === 'aborted';
      this.#failedGets.push({ atMs: performance.now(), who, what: message, hadBegun });
    }
  }

  async waitForGets(count: number): Promise<void> {
    const enough = this.#seen.length + count;
    await waitUntil(`${count} more GETs`, () => this.#seen.length >= enough, 60_000);
  }

  abandon(): void {
    this.#isStopped = true;
    for (const reader of this.#live) void reader.stop();
  }

  async stop(): Promise<LoadReport> {
    this.#isStopped = true;
    await Promise.all(this.#working);
    const { room } = this.#options;
    const final = (await read(this.#target, room)).text;
    const violations: string[] = [];
    for (const [n, reader] of this.#live.entries()) {
      await reader.waitForText(final).catch(() => {
        violations.push(
          `live reader ${n} has not what the room holds: ${describeDifference(reader, final)}`,
        );
      });
    }
    await Promise.all(this.#live.map((reader) => reader.stop()));
    const rooms = new Map([[room, final]]);
    violations.push(
      ...findViolations({ sent: this.#sent, seen: this.#seen, rooms, allowStumps: true }),
    );
    return {
      violations,
      failedGets: this.#failedGets,
      failedPosts: this.#failedPosts,
      failedStreams: this.#live.flatMap((reader) => reader.failures),
      acknowledgedCount: this.acknowledgedCount,
      getCount: this.#getCount,
      streamCount: this.#live.reduce((sum, reader) => sum + reader.openedCount, 0),
      resetCount: this.#live.reduce((sum, reader) => sum + reader.resetCount, 0),
      longestSilenceMs: this.#longestSilenceMs,
      slowestGetMs: this.slowestGetMs,
      slowestPostMs: this.#slowestPostMs,
      servers: this.servers,
    };
  }
}

/** Shows where a reader's text and the room's first differ. */
function describeDifference(reader: LiveReader, final: string): string {
  const [own, whole] = [reader.text().split('\n'), final.split('\n')];
  const at = whole.findIndex((line, n) => own[n] !== line);
  const lines = JSON.stringify({ reader: own[at] ?? null, room: whole[at] ?? null });
  return `${own.length - 1} lines of ${whole.length - 1}, first difference at ${at}: ${lines}`;
}

/** The figures of a report in one line, for whoever reads the run. */
export function describeLoad(report: LoadReport): string {
  const { acknowledgedCount, getCount, streamCount, failedGets, failedPosts } = report;
  const times = [report.slowestPostMs, report.slowestGetMs, report.longestSilenceMs];
  const [post, get, silence] = times.map((ms) => `${Math.round(ms)} ms`);
  return (
    `${acknowledgedCount} messages, ${getCount} GETs, ${streamCount} streams, ` +
    `${failedPosts.length} POSTs and ${failedGets.length} GETs failed, ` +
    `slowest POST ${post}, slowest GET ${get}, longest without an answered GET ${silence}`
  );
}
