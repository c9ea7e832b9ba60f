import { memory } from './storage.js';

/**
 * Chooses one tab among those of a browser. With Web Locks a tab that closes or crashes hands over
 * at once. Without them (a page over plain HTTP from another machine has none) tabs hold a lease in
 * shared storage; two may then lead for a moment, which costs a stream and no message.
 */

const LEASE_MS = 6_000;
/** Browsers allow six HTTP/1.1 connections to a host: two stay free for everything else. */
const STREAM_LIMIT = 4;

/**
 * @param {string} name
 * @param {(isLeader: boolean) => void} changed
 * @param {AbortSignal} signal ends the candidacy, and the lead
 * @returns {() => void} takes the lead from a leader that has gone quiet
 */
export function elect(name, changed, signal) {
  if (!navigator.locks) return holdLease(name, changed, signal);
  /** @param {LockOptions} options */
  const ask = (options) => {
    const lead = () => {
      if (signal.aborted) return undefined;
      changed(true);
      return new Promise((resolve) => signal.addEventListener('abort', resolve));
    };
    const again = () => {
      changed(false);
      if (!signal.aborted) ask({ signal });
    };
    // It rejects when the candidacy ends, or when another tab took the lead.
    navigator.locks
      .request(name, options, lead)
      .catch(options.steal ? () => changed(false) : again);
  };
  ask({ signal });
  return () => ask({ steal: true });
}

/**
 * One of the few streams that all rooms' tabs together may hold.
 * @param {AbortSignal} signal gives it back
 * @returns {Promise<boolean>} whether there was one left
 */
export async function takeStream(signal) {
  if (!navigator.locks) return true;
  for (let number = 0; number < STREAM_LIMIT; number += 1) {
    const isMine = await new Promise((resolve) => {
      navigator.locks.request(`chat.stream.${number}`, { ifAvailable: true }, (lock) => {
        resolve(Boolean(lock));
        if (!lock || signal.aborted) return undefined;
        return new Promise((free) => signal.addEventListener('abort', free));
      });
    });
    if (isMine) return true;
  }
  return false;
}

/**
 * @param {string} name
 * @param {(isLeader: boolean) => void} changed
 * @param {AbortSignal} signal
 */
function holdLease(name, changed, signal) {
  const key = `lease.${name}`;
  const me = Math.random();
  let isLeader = false;
  function look() {
    const lease = memory.get(key, { owner: 0, until: 0 });
    const isFree = lease.until < Date.now();
    if (isFree || lease.owner === me) memory.set(key, { owner: me, until: Date.now() + LEASE_MS });
    // Two that took it at once both read here what the later one wrote, or at the next look.
    const isMine = memory.get(key, lease).owner === me;
    if (isMine !== isLeader) changed(isMine);
    isLeader = isMine;
  }
  const timer = setInterval(look, LEASE_MS / 3);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    if (isLeader) memory.set(key, undefined);
  });
  queueMicrotask(look);
  return look;
}
