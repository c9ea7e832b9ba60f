import { FOREVER_MS, pause } from '../lib/dom.js';

/** Browsers allow six HTTP/1.1 connections to a host; two stay free. */
const STREAM_LIMIT = 4;

/**
 * Chooses one tab among those of a browser; one that closes or crashes hands over at once. Without
 * Web Locks (plain HTTP from another machine) every visible tab leads.
 * @param {string} name @param {(leads: boolean) => void} changed @param {AbortSignal} signal
 */
export function elect(name, changed, signal) {
	if (!navigator.locks) {
		const look = () => changed(!document.hidden);
		document.addEventListener('visibilitychange', look, { signal });
		queueMicrotask(look);
		return;
	}
	const lead = () => {
		changed(true);
		return pause(FOREVER_MS, signal);
	};
	navigator.locks.request(name, { signal }, lead).catch(() => {});
}

/**
 * Takes one of the few streams that the tabs of all rooms together may hold, if one is left.
 * @param {AbortSignal} signal gives it back
 */
export async function takeStream(signal) {
	for (let number = 0; navigator.locks && number < STREAM_LIMIT; number += 1) {
		const isMine = await new Promise((resolve) => {
			navigator.locks.request(`chat.stream.${number}`, { ifAvailable: true }, (lock) => {
				resolve(Boolean(lock));
				return lock && pause(FOREVER_MS, signal);
			});
		});
		if (isMine) return true;
	}
	return !navigator.locks;
}
