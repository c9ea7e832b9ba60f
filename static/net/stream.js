import { formatCursor, parseCursor } from '../model/cursor.js';
import { makeLine } from '../model/line.js';
import { chatPath } from '../model/room.js';

/**
 * @import { Cursor } from '../model/cursor.js'
 * @import { Line } from '../model/line.js'
 * @typedef {'lost' | 'refused' | 'silent' | 'reset' | 'stopped'} Ending
 *   `lost`: it was open and broke off; `refused`: it never opened; `silent`: it opened and nothing
 *   came, as behind a proxy that buffers, or there are no streams; `reset`: the cursor isn't one of this room; `stopped`: the
 *   caller's signal
 * @typedef {{ onOpen: (server: string) => void, onPing: () => void,
 *   onLine: (epoch: string, line: Line) => void }} Listeners
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
export async function readStream(cursor, signal, { onOpen, onPing, onLine }) {
	const source = openSource(`${chatPath()}?since=${formatCursor(cursor)}`);
	if (!source) return 'silent';
	return new Promise((resolve) => {
		const stop = () => end('stopped');
		let timer = setTimeout(() => end('silent'), OPENING_MS);
		let isOpen = false;
		let { offset } = cursor;

		const end = (/** @type {Ending} */ ending) => {
			clearTimeout(timer);
			signal.removeEventListener('abort', stop);
			source.close();
			resolve(ending);
		};
		const restartTimer = () => {
			clearTimeout(timer);
			timer = setTimeout(() => end('lost'), SILENCE_MS);
		};

		signal.addEventListener('abort', stop);
		source.addEventListener('server', ({ data, lastEventId }) => {
			isOpen = true;
			offset = parseCursor(lastEventId)?.offset ?? offset;
			restartTimer();
			onOpen(data);
		});
		source.addEventListener('message', ({ data, lastEventId }) => {
			const after = parseCursor(lastEventId);
			if (!after) return;
			restartTimer();
			onLine(after.epoch, makeLine(offset, after.offset, data));
			offset = after.offset;
		});
		source.addEventListener('ping', () => {
			restartTimer();
			onPing();
		});
		source.addEventListener('reset', () => end('reset'));
		source.addEventListener('error', () => end(isOpen ? 'lost' : 'refused'));
		if (signal.aborted) stop();
	});
}

/** @param {string} address @returns undefined where the browser has or allows no streams */
function openSource(address) {
	try {
		return new EventSource(address);
	} catch {
		return undefined;
	}
}
