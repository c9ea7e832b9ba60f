/** Browsers allow six HTTP/1.1 connections to a host: two stay free for everything else. */
const STREAM_LIMIT = 4;

/**
 * Chooses one tab among those of a browser; one that closes or crashes hands over at once. Where
 * there are no Web Locks (plain HTTP from another machine) every visible tab leads: that costs
 * streams, and no line.
 * @param {string} name
 * @param {(leads: boolean) => void} changed
 * @param {AbortSignal} signal ends the candidacy, and the lead
 * @returns {() => void} takes the lead from a leader that has gone quiet
 */
export function elect(name, changed, signal) {
  if (!navigator.locks) {
    const look = () => changed(!document.hidden);
    document.addEventListener('visibilitychange', look, { signal });
    queueMicrotask(look);
    return () => {};
  }
  const lead = () => {
    if (!signal.aborted) changed(true);
    return heldUntil(signal);
  };
  // It rejects when the candidacy ends, or when another tab takes the lead.
  const ask = () => {
    navigator.locks.request(name, { signal }, lead).catch(() => {
      changed(false);
      if (!signal.aborted) ask();
    });
  };
  ask();
  return () => navigator.locks.request(name, { steal: true }, lead).catch(() => changed(false));
}

/**
 * Takes one of the few streams that the tabs of all rooms together may hold.
 * @param {AbortSignal} signal gives it back
 * @returns {Promise<boolean>} whether there was one left
 */
export async function takeStream(signal) {
  for (let number = 0; navigator.locks && number < STREAM_LIMIT; number += 1) {
    const isMine = await new Promise((resolve) => {
      navigator.locks.request(`chat.stream.${number}`, { ifAvailable: true }, (lock) => {
        resolve(Boolean(lock));
        return lock && heldUntil(signal);
      });
    });
    if (isMine) return true;
  }
  return !navigator.locks;
}

/** @param {AbortSignal} signal @returns {Promise<void>} */
function heldUntil(signal) {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
    if (signal.aborted) resolve();
  });
}
