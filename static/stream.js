import { formatCursor, parseCursor } from './address.js';

/**
 * @typedef {'lost' | 'refused' | 'swallowed' | 'reset' | 'stopped'} Ending
 *   lost: it was open and ended; refused: it did not open; swallowed: it opened and nothing came
 *   through, as behind a proxy that buffers; reset: the room is another than the cursor's
 * @typedef {{ url: string, cursor: import('./address.js').Cursor, signal: AbortSignal,
 *   greeted: (server: string) => void, heard: () => void,
 *   received: (epoch: string, line: import('./line.js').Line) => void }} Wishes
 */

const GREETING_MS = 8_000;
/** The server pings every 15 s; a connection that is silent this long is dead. */
const SILENCE_MS = 35_000;

/**
 * Reads a room's stream of events until it ends, whatever the reason. `EventSource` would come
 * back by itself after some endings and not after others; here all are the caller's.
 * @param {Wishes} wishes
 * @returns {Promise<Ending>}
 */
export function readStream({ url, cursor, signal, greeted, heard, received }) {
  return new Promise((resolve) => {
    const source = new EventSource(`${url}?since=${formatCursor(cursor)}`);
    let isGreeted = false;
    let at = cursor.offset;
    let timer = setTimeout(() => end('swallowed'), GREETING_MS);
    const stop = () => end('stopped');

    /** @param {Ending} ending */
    function end(ending) {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      source.close();
      resolve(ending);
    }
    function isAlive() {
      clearTimeout(timer);
      timer = setTimeout(() => end('lost'), SILENCE_MS);
      heard();
    }

    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    source.addEventListener('server', (event) => {
      isGreeted = true;
      at = parseCursor(event.lastEventId)?.offset ?? at;
      isAlive();
      greeted(event.data);
    });
    source.addEventListener('message', (event) => {
      const place = parseCursor(event.lastEventId);
      if (!place) return;
      isAlive();
      received(place.epoch, { start: at, end: place.offset, text: event.data });
      at = place.offset;
    });
    source.addEventListener('ping', isAlive);
    source.addEventListener('reset', () => end('reset'));
    source.addEventListener('error', () => end(isGreeted ? 'lost' : 'refused'));
  });
}
