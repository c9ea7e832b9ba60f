import { FOREVER_MS, pause } from '../lib/time.js';

/** Browsers allow six HTTP/1.1 connections to a host; two stay free. */
const STREAM_LIMIT = 4;

/**
 * Elects one leader among the tabs of a browser; when it closes or crashes, another is elected at
 * once. Without Web Locks (plain HTTP from another machine) every visible tab leads.
 * @param {string} name @param {(isLeader: boolean) => void} onChange
 * @param {AbortSignal} signal withdraws this tab
 */
export function elect(name, onChange, signal) {
	if (!navigator.locks) {
		const decide = () => onChange(!document.hidden);
		document.addEventListener('visibilitychange', decide, { signal });
		queueMicrotask(decide);
		return;
	}
	const lead = () => {
		onChange(true);
		return pause(FOREVER_MS, signal);
	};
	navigator.locks.request(name, { signal }, lead).catch(() => {});
}

/**
 * Acquires one of the few streams that the tabs of all rooms may hold together.
 * @param {AbortSignal} signal releases it
 * @returns whether one was free
 */
export async function acquireStream(signal) {
	for (let number = 0; navigator.locks && number < STREAM_LIMIT; number += 1) {
		const isAcquired = await new Promise((resolve) => {
			navigator.locks.request(`chat.stream.${number}`, { ifAvailable: true }, (lock) => {
				resolve(Boolean(lock));
				return lock && pause(FOREVER_MS, signal);
			});
		});
		if (isAcquired) return true;
	}
	return !navigator.locks;
}
