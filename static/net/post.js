import { abortOnSilence } from '../lib/time.js';
import { EMPTY_ROOM, formatCursor, parseCursor } from '../model/cursor.js';
import { chatPath } from '../model/room.js';
import { fetchRoom, noteServer } from './answer.js';

/**
 * @import { Cursor } from '../model/cursor.js'
 * @import { Line } from '../model/line.js'
 * @typedef {{ epoch: string, line: Line }} Receipt a stored message as its line, and the room's epoch
 */

const TIMEOUT_MS = 20_000;

/**
 * Posts a message. It is safe to post it again with the same cursor: it is stored once.
 * @param {string} username @param {string} message
 * @param {Cursor} since a cursor from before it was first posted
 * @returns {Promise<Receipt>}
 * @throws {import('./answer.js').Refusal} anything else means that no answer came
 */
export async function postMessage(username, message, since) {
	const answer = await fetchRoom(`${chatPath()}?since=${formatCursor(since)}`, {
		method: 'POST',
		body: new URLSearchParams({ username, message }),
		signal: abortOnSilence(TIMEOUT_MS).signal,
	});
	noteServer('post', answer);
	const text = (await answer.text()).replace(/\r?\n$/, '');
	const { epoch, offset: end } = parseCursor(answer.headers.get('chat-cursor')) ?? EMPTY_ROOM;
	const sizeBytes = new TextEncoder().encode(text).length + 1;
	return { epoch, line: { start: end - sizeBytes, end, text } };
}
