/** Watching rooms in a database: one question for all rooms that somebody reads, again and again. */

/** How often is asked, in milliseconds. */
export const POLL_MS = 150;

/**
 * Watches until stopped.
 *
 * @param rooms the rooms that somebody reads now
 * @param toTags gives the entity tags of rooms
 * @param onChange told of a room that may have changed
 * @returns stops watching
 */
export function pollTags(
  rooms: () => Iterable<string>,
  toTags: (rooms: string[]) => Promise<Map<string, string>>,
  onChange: (room: string) => void,
): () => void {
  let known = new Map<string, string>();
  let isStopped = false;
  const poll = async (): Promise<void> => {
    const begunMs = performance.now();
    const names = [...rooms()];
    try {
      const tags = names.length === 0 ? new Map<string, string>() : await toTags(names);
      if (isStopped) return;
      for (const [room, tag] of tags) if (known.get(room) !== tag) onChange(room);
      known = tags;
    } catch {
      // The store has told of it; what changed meanwhile shows with the next answer.
    }
    const restMs = Math.max(0, POLL_MS - (performance.now() - begunMs));
    if (!isStopped) timer = setTimeout(() => void poll(), restMs).unref();
  };
  let timer = setTimeout(() => void poll(), POLL_MS).unref();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
