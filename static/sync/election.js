import { FOREVER_MS, pause } from '../lib/time.js';

/**
 * @typedef {'leader' | 'follower' | 'background'} Role `background`: hidden, and nobody knows whether
 *   there is a leader
 */

/** Browsers allow six HTTP/1.1 connections to a host; two stay free. */
const STREAM_LIMIT = 4;

/**
 * Elects one leader among the tabs of a browser; when it closes or crashes, another is elected at
 * once. Without Web Locks (plain HTTP from another machine, or a browser that refuses them) every
 * visible tab leads.
 * @param {string} name @param {(role: Role) => void} setRole
 * @param {AbortSignal} signal withdraws this tab
 */
export async function elect(name, setRole, signal) {
	const lead = () => {
		setRole('leader');
		return pause(FOREVER_MS, signal);
	};
	try {
		await navigator.locks.request(name, { signal }, lead);
	} catch {
		if (signal.aborted) return;
		const decide = () => setRole(document.hidden ? 'background' : 'leader');
		document.addEventListener('visibilitychange', decide, { signal });
		decide();
	}
}

/**
 * Acquires one of the few streams that the tabs of all rooms may hold together.
 * @param {AbortSignal} signal releases it
 * @returns whether one was free; without Web Locks nobody counts them
 */
export async function acquireStream(signal) {
	for (let number = 0; number < STREAM_LIMIT; number += 1) {
		const isAcquired = await acquireLock(`chat.stream.${number}`, signal).catch(() => true);
		if (isAcquired) return true;
	}
	return false;
}

/**
 * @param {string} name @param {AbortSignal} signal releases it
 * @returns {Promise<boolean>} whether it was free
 */
async function acquireLock(name, signal) {
	return new Promise((resolve, reject) => {
		const hold = (/** @type {Lock | null} */ lock) => {
			resolve(Boolean(lock));
			return lock && pause(FOREVER_MS, signal);
		};
		navigator.locks.request(name, { ifAvailable: true }, hold).catch(reject);
	});
}
