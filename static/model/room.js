/** Rooms as addresses have them. */

/** The room of this page; `/` stands for `general`. */
export const room = parseRoom(location.pathname.slice(1));

/** @param {string} segment of a path */
function parseRoom(segment) {
	try {
		return decodeURIComponent(segment) || 'general';
	} catch {
		return segment;
	}
}

/** The path of a room's page. @param {string} [name] */
export function pagePath(name = room) {
	return `/${encodeURIComponent(name)}`;
}

/** The path of a room's messages. @param {string} [name] */
export function chatPath(name) {
	return `/chat${pagePath(name)}`;
}

/** Why a room can't have this name (docs/http.md), or ''. @param {string} name */
export function checkRoomName(name) {
	if (/^\.\.?$/.test(name)) return 'A room can’t be called that.';
	if (/\p{Cc}/u.test(name)) return 'No control characters, please.';
	return [...name].length > 100 ? 'A room’s name has at most 100 characters.' : '';
}
