// Servers under the same load, in turns of a fifth of a second: a machine that is fast now and slow
// in a second is so for all of them. The load is wrk, stopped and woken by signals.
import { cores, pause, readCpuMs, run } from './processes.mjs';

/** How long each side's turn is. */
const TURN_MS = 200;

/** Rounds that do not count: for some seconds under load V8 goes on compiling what it has run. */
const WARM_ROUNDS = 3;

/**
 * Measures loads side by side.
 *
 * @param {{ loads: string[][], pids: number[], core?: string }[]} sides the words after `wrk` of
 *   each load that runs at the same time, the server's processes, and the load's core
 * @param {{ seconds: number, rounds: number }} effort how long each side runs a round, in all
 * @returns {Promise<{ rates: number[], cpus: number[], total: number }[]>} for each side: requests a
 *   second and the server's CPU time for each in microseconds, by round; and all requests
 */
export async function pairLoads(sides, { seconds, rounds }) {
  const results = sides.map(() => ({ rates: [], cpus: [], total: 0 }));
  for (let round = -Math.min(rounds, WARM_ROUNDS); round < rounds; round += 1) {
    const before = sides.map(sumCpuMs);
    for (const [side, { requests, ranMs }] of (await runRound(sides, seconds * 1000)).entries()) {
      const result = results[side];
      result.total += requests;
      if (round < 0) continue;
      result.rates.push(requests / (ranMs / 1000));
      result.cpus.push(((sumCpuMs(sides[side]) - before[side]) * 1000) / requests);
    }
  }
  if (results.some(({ total }) => total === 0)) throw new Error('a server answered nothing');
  return results;
}

function sumCpuMs({ pids }) {
  return pids.reduce((sum, pid) => sum + readCpuMs(pid), 0);
}

async function runRound(sides, sideMs) {
  const wallSeconds = Math.ceil((sideMs * sides.length) / 1000) + 1;
  const running = sides.map(({ loads, core = cores?.load }) => ({
    loads: loads.map((words) => run(['wrk', `-d${wallSeconds}`, ...words], { core })),
    ranMs: 0,
  }));
  // Twice: the first signal may meet taskset before it became wrk.
  for (let times = 0; times < 2; times += 1) {
    for (const side of running) signal(side, 'SIGSTOP');
    await pause(50);
  }
  const endMs = performance.now() + sideMs * sides.length;
  while (performance.now() < endMs) {
    for (const side of running) await runTurn(side);
  }
  for (const name of ['SIGINT', 'SIGCONT']) for (const side of running) signal(side, name);
  return Promise.all(running.map(sumUp));
}

async function runTurn(side) {
  const begunMs = performance.now();
  signal(side, 'SIGCONT');
  await pause(TURN_MS);
  signal(side, 'SIGSTOP');
  side.ranMs += performance.now() - begunMs;
}

function signal({ loads }, name) {
  for (const { child } of loads) child.kill(name);
}

async function sumUp({ loads, ranMs }) {
  let requests = 0;
  for (const { ended } of loads) {
    const { stdout, stderr } = await ended;
    const count = Number(/(\d+) requests in/.exec(stdout)?.[1]);
    if (!(count >= 0)) throw new Error(`wrk failed: ${stdout}${stderr}`);
    const refused = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
    if (refused !== undefined) throw new Error(`${refused} requests were refused`);
    requests += count;
  }
  return { requests, ranMs };
}
