/** The longest time that a timer can wait. */
export const FOREVER_MS = 2 ** 31 - 1;

/**
 * Waits.
 * @param {number} ms @param {AbortSignal} [signal] ends the wait early
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
	return new Promise((resolve) => {
		const done = () => {
			clearTimeout(timer);
			signal?.removeEventListener('abort', done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		signal?.addEventListener('abort', done);
		if (signal?.aborted) done();
	});
}

/** A random time from half as much to half as much again. @param {number} ms */
export function jitter(ms) {
	return ms * (0.5 + Math.random());
}

/**
 * A signal that aborts after some silence, or with another one.
 * @param {number} ms @param {AbortSignal} [signal]
 * @returns with the signal, `restart`: something was heard
 */
export function abortOnSilence(ms, signal) {
	const controller = new AbortController();
	const abort = () => controller.abort();
	let timer = setTimeout(abort, ms);
	const restart = () => {
		clearTimeout(timer);
		timer = setTimeout(abort, ms);
	};
	signal?.addEventListener('abort', abort);
	if (signal?.aborted) abort();
	return { signal: controller.signal, restart };
}
