/**
 * What a watch tells of rooms that this process is writing to.
 *
 * Most of it is this process's own doing, of which nothing is to be seen before it is committed; and
 * then its readers are woken anyway. So it is kept back, and told where nothing came of the write: it
 * may have been somebody else's.
 */

type OnChange = (room: string) => void;

/** The rooms that this process is writing to. */
export class OwnWrites {
  readonly #rooms = new Map<string, Set<OnChange>>();

  /** From now on a room is told of later; one write at a time for a room. */
  begin(room: string): void {
    this.#rooms.set(room, new Set());
  }

  /** @param isStored whether its readers will be woken by the one who wrote */
  end(room: string, isStored: boolean): void {
    const keptBack = this.#rooms.get(room)!;
    this.#rooms.delete(room);
    if (!isStored) for (const onChange of keptBack) onChange(room);
  }

  /** Gives a callback that keeps back what {@link begin} says. */
  filter(onChange: OnChange): OnChange {
    return (room) => {
      const keptBack = this.#rooms.get(room);
      if (keptBack === undefined) onChange(room);
      else keptBack.add(onChange);
    };
  }
}
