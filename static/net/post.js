import { abortAfter } from '../lib/time.js';
import { parseCursor } from '../model/cursor.js';
import { chatPath } from '../model/room.js';
import { noteServer, Refusal } from './answer.js';

/**
 * @import { Line } from '../model/line.js'
 * @typedef {{ epoch: string, line: Line }} Receipt a stored message as its line, and the room's epoch
 */

const TIMEOUT_MS = 20_000;

/**
 * Posts a message.
 * @param {string} username @param {string} message
 * @returns {Promise<Receipt | undefined>} undefined where it is stored and the answer says no more
 * @throws {Refusal} the server's; anything else means that no answer came
 */
export async function postMessage(username, message) {
	const answer = await fetch(chatPath(), {
		method: 'POST',
		body: new URLSearchParams({ username, message }),
		signal: abortAfter(TIMEOUT_MS),
	});
	noteServer('post', answer);
	// Chromium makes a 200 of an answer that broke off after an interim one.
	if (answer.status !== 201) throw await Refusal.read(answer);
	const text = (await answer.text()).replace(/\r?\n$/, '');
	const cursor = parseCursor(answer.headers.get('chat-cursor'));
	if (!cursor) return undefined;
	const { epoch, offset: end } = cursor;
	const sizeBytes = new TextEncoder().encode(text).length + 1;
	return { epoch, line: { start: end - sizeBytes, end, text } };
}
