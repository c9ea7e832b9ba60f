/** Metrics of the process itself, measured when the page of metrics is asked for. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Registry } from './metrics.ts';

/** How often the event loop's lag is measured. */
const LAG_RESOLUTION_MS = 100;

/** Registers memory, CPU time, the event loop's lag, and how much the process serves now. */
export function registerProcessMetrics(
  registry: Registry,
  counts: { readonly streams: () => number; readonly connections: () => number },
): void {
  const { memoryUsage, cpuUsage } = process;
  const toCpuSeconds = (): number => (cpuUsage().user + cpuUsage().system) / 1e6;
  registry.sample('chat_live_streams', 'Live streams.', 'gauge', counts.streams);
  registry.sample('chat_connections', 'Open connections.', 'gauge', counts.connections);
  registry.sample('process_resident_memory_bytes', 'Memory.', 'gauge', () => memoryUsage.rss());
  registry.sample('process_cpu_seconds_total', 'CPU time.', 'counter', toCpuSeconds);
  const help = 'Worst lag since this page was last asked for.';
  registry.sample('chat_event_loop_lag_seconds', help, 'gauge', measureLag());
}

/** @returns a function that gives the worst lag in seconds since it was last called */
function measureLag(): () => number {
  const delay = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  delay.enable();
  return () => {
    const lagMs = delay.max / 1e6 - LAG_RESOLUTION_MS;
    delay.reset();
    return Math.max(0, lagMs / 1000);
  };
}
