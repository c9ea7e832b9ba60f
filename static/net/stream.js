import { formatCursor, parseCursor } from '../model/cursor.js';
import { chatPath } from '../model/room.js';

/**
 * @import { Cursor } from '../model/cursor.js'
 * @import { Line } from '../model/line.js'
 * @typedef {'lost' | 'refused' | 'silent' | 'reset' | 'stopped'} Ending
 *   `lost`: it was open and broke off; `refused`: it never opened; `silent`: it opened and nothing
 *   came, as behind a proxy that buffers; `reset`: the cursor isn't one of this room; `stopped`: the
 *   caller's signal
 * @typedef {{ onOpen: (server: string) => void, onSign: () => void,
 *   onLine: (epoch: string, line: Line) => void }} Listeners `onSign`: anything came
 */

const OPENING_MS = 8_000;
/** The server pings every 15 s. */
const SILENCE_MS = 35_000;

/**
 * Reads the room's stream from a cursor until it ends. `EventSource` would reconnect by itself after
 * some endings and not after others; here the caller decides after each.
 * @param {Cursor} cursor @param {AbortSignal} signal @param {Listeners} listeners
 * @returns {Promise<Ending>}
 */
export function readStream(cursor, signal, { onOpen, onSign, onLine }) {
	return new Promise((resolve) => {
		const source = new EventSource(`${chatPath()}?since=${formatCursor(cursor)}`);
		const stop = () => end('stopped');
		let timer = setTimeout(() => end('silent'), OPENING_MS);
		let isOpen = false;
		let { offset } = cursor;

		/** @param {Ending} ending */
		function end(ending) {
			clearTimeout(timer);
			signal.removeEventListener('abort', stop);
			source.close();
			resolve(ending);
		}
		function noteSign() {
			clearTimeout(timer);
			timer = setTimeout(() => end('lost'), SILENCE_MS);
			onSign();
		}

		signal.addEventListener('abort', stop);
		source.addEventListener('server', ({ data, lastEventId }) => {
			isOpen = true;
			offset = parseCursor(lastEventId)?.offset ?? offset;
			noteSign();
			onOpen(data);
		});
		source.addEventListener('message', ({ data, lastEventId }) => {
			const after = parseCursor(lastEventId);
			if (!after) return;
			noteSign();
			onLine(after.epoch, { start: offset, end: after.offset, text: data });
			offset = after.offset;
		});
		source.addEventListener('ping', noteSign);
		source.addEventListener('reset', () => end('reset'));
		source.addEventListener('error', () => end(isOpen ? 'lost' : 'refused'));
		if (signal.aborted) stop();
	});
}
