// Two servers under the same load, in turns of a fifth of a second: a machine that is fast now and
// slow in a second is so for both. The load is wrk, stopped and woken by signals.
import { cores, pause, readCpuMs, run } from './processes.mjs';

/** How long each side's turn is. */
const TURN_MS = 200;

/**
 * Measures two loads side by side.
 *
 * @param {{ words: string[], pids: number[] }[]} sides the words after `wrk`, and the server's
 *   processes
 * @param {{ seconds?: number, rounds?: number }} options how long each side runs a round, in all
 * @returns {Promise<{ rates: number[][], cpus: number[][], totals: number[] }>} by side and round:
 *   requests a second, and the server's CPU time for each, in microseconds; and all requests
 */
export async function pairLoads(sides, { seconds = 3, rounds = 7 } = {}) {
  const rates = sides.map(() => []);
  const cpus = sides.map(() => []);
  const totals = sides.map(() => 0);
  for (let round = 0; round < rounds; round += 1) {
    const before = sides.map(sumCpuMs);
    const results = await runRound(sides, seconds * 1000);
    for (const [side, { requests, ranMs }] of results.entries()) {
      totals[side] += requests;
      rates[side].push(requests / (ranMs / 1000));
      cpus[side].push(((sumCpuMs(sides[side]) - before[side]) * 1000) / requests);
    }
  }
  return { rates, cpus, totals };
}

function sumCpuMs({ pids }) {
  return pids.reduce((sum, pid) => sum + readCpuMs(pid), 0);
}

async function runRound(sides, sideMs) {
  const wallSeconds = Math.ceil((sideMs * sides.length) / 1000) + 1;
  const loads = sides.map(({ words }) => {
    const command = ['wrk', `-d${wallSeconds}`, ...words];
    const load = run(command, { core: cores?.load });
    load.child.kill('SIGSTOP');
    return { ...load, ranMs: 0 };
  });
  // Stopped once more: the first signal may have met taskset before it became wrk.
  await pause(50);
  for (const load of loads) load.child.kill('SIGSTOP');
  const endMs = performance.now() + sideMs * sides.length;
  while (performance.now() < endMs) {
    for (const load of loads) await runTurn(load);
  }
  for (const load of loads) load.child.kill('SIGINT');
  for (const load of loads) load.child.kill('SIGCONT');
  const ended = await Promise.all(loads.map(({ ended }) => ended));
  return ended.map(({ stdout, stderr }, index) => {
    const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
    if (!(requests > 0)) throw new Error(`wrk failed: ${stdout}${stderr}`);
    const refused = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
    if (refused !== undefined) throw new Error(`${refused} requests were refused`);
    return { requests, ranMs: loads[index].ranMs };
  });
}

async function runTurn(load) {
  const begunMs = performance.now();
  load.child.kill('SIGCONT');
  await pause(TURN_MS);
  load.child.kill('SIGSTOP');
  load.ranMs += performance.now() - begunMs;
}
