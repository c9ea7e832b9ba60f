import { parseCursor } from '../model/cursor.js';
import { servers } from '../model/servers.js';

/** What goes between the page and the service says this when somebody has to sign in. */
const SIGN_IN_STATUS = [200, 401, 403, 407, 511];

/** An answer that is not the room's: the server's refusal, or what another gave in its place. */
export class Refusal extends Error {
	status = 0;
	/** Whether the service itself refused; a proxy doesn't know what became of the request. */
	isFromService = false;

	/** @param {Response} answer */
	static async read(answer) {
		const { status, headers } = answer;
		const isFromService = status >= 400 && headers.has('chat-server');
		const isText = isFromService && headers.get('content-type')?.startsWith('text/plain');
		const words = isText ? (await answer.text().catch(() => '')).slice(0, 300).trim() : '';
		const isSignIn = answer.type === 'opaqueredirect' || SIGN_IN_STATUS.includes(status);
		const otherWords = isSignIn && !isFromService ? SIGN_IN : `The server answered ${status}.`;
		const refusal = new Refusal(words || otherWords);
		return Object.assign(refusal, { status, isFromService });
	}
}

const SIGN_IN = 'Something else answered for the room. Sign in again, then reload.';

/**
 * Asks for the room. An answer is the room's only if it says so, by a cursor: a login page or a
 * portal may answer in its place.
 * @param {string} path @param {RequestInit} init
 * @throws {Refusal} what is not the room's answer
 */
export async function fetchRoom(path, init) {
	const answer = await fetch(path, { ...init, redirect: 'manual' });
	const { status, headers } = answer;
	const isRoom = parseCursor(headers.get('chat-cursor')) && (answer.ok || status === 416);
	const isUnchanged = status === 304 && new Headers(init.headers).has('if-none-match');
	if (!isRoom && !isUnchanged) throw await Refusal.read(answer);
	return answer;
}

/** Notes which server gave an answer. @param {string} role @param {Response} answer */
export function noteServer(role, answer) {
	servers.note(role, answer.headers.get('chat-server'));
}
