import { textPath } from './address.js';
import { takeStream } from './election.js';
import { readStream } from './stream.js';
import { Tabs } from './tabs.js';

/** @typedef {import('./tabs.js').Status} Status */

const POLL_MS = 2_000;
const HIDDEN_POLL_MS = 10_000;
/** How long it polls before it tries the stream again: at first, and at most. */
const POLLING_MS = 15_000;
const LONG_POLLING_MS = 120_000;
const CHECK_MS = 10_000;
/** Waking up after a silence longer than the pings' distance, a stream may be dead. */
const DOUBTFUL_MS = 20_000;

/**
 * Keeps the log in step with the room: by a stream of its own, by the stream of another tab, or by
 * polling where streams don't come through. Before each it reads what it missed, so that no ending
 * of a stream, and no pause, loses a line.
 */
export class Connection extends EventTarget {
  #url;
  #log;
  #tabs;
  /** @type {Status} */
  status = { state: 'connecting', server: '', reason: '' };
  /** @type {AbortController} */
  #attempt = new AbortController();
  #isRunning = false;
  #heardAt = 0;
  #failures = 0;
  /** Streams in a row that gave nothing although the room could be read. */
  #strikes = 0;
  #pollingMs = POLLING_MS;
  /** Holds this leader's share of the browser's streams. @type {AbortController | undefined} */
  #share;

  /**
   * @param {string} room
   * @param {import('./log.js').RoomLog} log
   */
  constructor(room, log) {
    super();
    this.#url = textPath(room);
    this.#log = log;
    this.#tabs = new Tabs(room, {
      lead: (leads) => {
        if (!leads) this.#giveBack();
        this.#restart();
      },
      lines: (epoch, lines) => {
        this.#heardAt = Date.now();
        for (const line of lines) log.receive(epoch, line, true);
      },
      status: (status) => this.#show(status),
      asked: () => this.#tabs.say({ status: this.status }),
    });
  }

  start() {
    addEventListener('pagehide', () => this.#stop());
    addEventListener('pageshow', () => this.#begin());
    addEventListener('online', () => this.#restart());
    addEventListener('offline', () => this.#restart());
    document.addEventListener('freeze', () => this.#stop());
    document.addEventListener('resume', () => this.#begin());
    document.addEventListener('visibilitychange', () => this.#wake());
    setInterval(() => this.#check(), CHECK_MS);
    this.#begin();
  }

  /**
   * Tells the other tabs of lines that this one got first.
   * @param {string} epoch
   * @param {import('./line.js').Line[]} lines
   */
  pass(epoch, lines) {
    this.#tabs.say({ epoch, lines });
  }

  #begin() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#tabs.start();
    void this.#run();
  }

  #stop() {
    this.#isRunning = false;
    this.#tabs.stop();
    this.#giveBack();
    this.#restart();
  }

  #giveBack() {
    this.#share?.abort();
    this.#share = undefined;
  }

  /** Whether this leader may hold a stream. */
  async #mayStream() {
    if (this.#share) return true;
    const share = new AbortController();
    if (!(await takeStream(share.signal))) return false;
    if (this.#tabs.leads && !this.#share) this.#share = share;
    else share.abort();
    return true;
  }

  /** Ends what is being waited for, so that everything is looked at anew. */
  #restart() {
    this.#attempt.abort();
  }

  #wake() {
    if (document.hidden) return;
    if (Date.now() - this.#heardAt > DOUBTFUL_MS) this.#restart();
    else this.#log.catchUp().catch(() => this.#restart());
  }

  #check() {
    if (document.hidden || !this.#isRunning) return;
    this.#tabs.check();
  }

  async #run() {
    while (this.#isRunning) {
      const attempt = new AbortController();
      this.#attempt = attempt;
      try {
        await this.#log.catchUp();
        this.#failures = 0;
        if (attempt.signal.aborted) continue;
        if (!this.#tabs.leads) await this.#follow(attempt.signal);
        else if (this.#strikes < 2 && (await this.#mayStream())) await this.#stream(attempt.signal);
        else await this.#poll(attempt.signal);
      } catch (error) {
        this.#failures += 1;
        const isRefusal = error instanceof Error && 'status' in error;
        this.#tell('offline', '', isRefusal ? error.message : '');
        const backoffMs = Math.min(15_000, 400 * 2 ** this.#failures);
        if (!attempt.signal.aborted) await pause(spread(backoffMs), attempt.signal);
        else await pause(spread(400));
      }
    }
  }

  /** @param {AbortSignal} signal */
  async #stream(signal) {
    let isGreeted = false;
    // Nobody waits for the first word of a stream that may never come through.
    const polling = setInterval(() => {
      if (!isGreeted) this.#log.catchUp().catch(() => {});
    }, POLL_MS);
    const ending = await readStream({
      url: this.#url,
      cursor: this.#log.cursor,
      signal,
      greeted: (server) => {
        isGreeted = true;
        this.#tell('live', server, '');
      },
      heard: () => {
        const isStale = Date.now() - this.#heardAt > CHECK_MS;
        this.#heardAt = Date.now();
        if (isStale) this.#tabs.say({ status: this.status });
      },
      received: (epoch, line) => this.#log.receive(epoch, line),
    });
    clearInterval(polling);
    if (isGreeted) {
      this.#strikes = 0;
      this.#pollingMs = POLLING_MS;
    }
    if (ending === 'refused') this.#strikes += 1;
    if (ending === 'swallowed') this.#strikes = 2;
    if (ending === 'reset') await this.#log.openTail();
    if (signal.aborted) return;
    this.#tell('connecting', '', '');
    // A server that goes down ends all its streams at once; they need not all come back at once.
    await pause(spread(600), signal);
  }

  /** @param {AbortSignal} signal */
  async #poll(signal) {
    const end = Date.now() + this.#pollingMs;
    this.#pollingMs = Math.min(LONG_POLLING_MS, this.#pollingMs * 2);
    while (Date.now() < end && !signal.aborted) {
      this.#heardAt = Date.now();
      this.#tell('polling', '', '');
      await pause(document.hidden ? HIDDEN_POLL_MS : POLL_MS, signal);
      await this.#log.catchUp();
    }
    this.#strikes = 1;
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    this.#tabs.say({ isNew: true });
    await pause(2 ** 31 - 1, signal);
  }

  /** @param {Status['state']} state @param {string} server @param {string} reason */
  #tell(state, server, reason) {
    this.#show({ state, server, reason });
    if (this.#tabs.leads) this.#tabs.say({ status: this.status });
  }

  /** @param {Status} status */
  #show(status) {
    this.#heardAt = Date.now();
    this.status = status;
    this.dispatchEvent(new Event('change'));
  }
}

/** Half as much to half as much again. @param {number} ms */
function spread(ms) {
  return ms * (0.5 + Math.random());
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal] cuts the pause short
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done);
  });
}
