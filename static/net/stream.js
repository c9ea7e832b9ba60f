import { formatCursor, parseCursor, textPath } from '../model/address.js';

/**
 * @typedef {'lost' | 'refused' | 'swallowed' | 'reset' | 'stopped'} Ending `swallowed`: it opened
 *   and nothing came; `reset`: the room is another than the cursor's
 * @typedef {{ cursor: import('../model/address.js').Cursor, signal: AbortSignal,
 *   greeted: (server: string) => void, heard: () => void,
 *   received: (epoch: string, line: import('../model/line.js').Line) => void }} Wishes
 */

const GREETING_MS = 8_000;
/** The server pings every 15 s; silent this long, a connection is dead. */
const SILENCE_MS = 35_000;

/**
 * Reads a room's stream until it ends. `EventSource` would come back by itself after some endings
 * and not after others; here all are the caller's.
 * @param {Wishes} wishes @returns {Promise<Ending>}
 */
export function readStream({ cursor, signal, greeted, heard, received }) {
	return new Promise((resolve) => {
		const source = new EventSource(`${textPath()}?since=${formatCursor(cursor)}`);
		const stop = () => end('stopped');
		let timer = setTimeout(() => end('swallowed'), GREETING_MS);
		let isGreeted = false;
		let at = cursor.offset;

		/** @param {Ending} ending */
		function end(ending) {
			clearTimeout(timer);
			signal.removeEventListener('abort', stop);
			source.close();
			resolve(ending);
		}
		function hear() {
			clearTimeout(timer);
			timer = setTimeout(() => end('lost'), SILENCE_MS);
			heard();
		}

		signal.addEventListener('abort', stop);
		source.addEventListener('server', ({ data, lastEventId }) => {
			isGreeted = true;
			at = parseCursor(lastEventId)?.offset ?? at;
			hear();
			greeted(data);
		});
		source.addEventListener('message', ({ data, lastEventId }) => {
			const place = parseCursor(lastEventId);
			if (!place) return;
			hear();
			received(place.epoch, { start: at, end: place.offset, text: data });
			at = place.offset;
		});
		source.addEventListener('ping', hear);
		source.addEventListener('reset', () => end('reset'));
		source.addEventListener('error', () => end(isGreeted ? 'lost' : 'refused'));
		if (signal.aborted) stop();
	});
}
