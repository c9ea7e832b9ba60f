import { servers } from '../model/servers.js';

/** An answer that is a refusal, in the server's own words. */
export class Refusal extends Error {
	status = 0;

	/** @param {Response} answer */
	static async read(answer) {
		const isText = answer.headers.get('content-type')?.startsWith('text/plain');
		const words = isText ? (await answer.text().catch(() => '')).slice(0, 300).trim() : '';
		const refusal = new Refusal(words || `The server answered ${answer.status}.`);
		refusal.status = answer.status;
		return refusal;
	}
}

/** Notes which server gave an answer. @param {string} role @param {Response} answer */
export function noteServer(role, answer) {
	servers.note(role, answer.headers.get('chat-server'));
}
