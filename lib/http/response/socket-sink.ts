/** Where a live reader's frames go: straight to its socket. */
import fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Sink } from '../../live/subscriber.ts';

/**
 * A reader's socket, once the head of its answer is out.
 *
 * A frame is offered to the system at once, by the socket's descriptor: Node's stream around the
 * same write costs half as much again, for every reader. What the system doesn't take, and whatever
 * comes while some of that waits, goes through the stream; so do errors, as it knows how to end.
 */
export class SocketSink implements Sink {
  readonly #socket: Described;
  readonly #response: ServerResponse;
  readonly #fd: number;
  #isFull = false;
  /** Called when nothing waits any more, after a write that left something waiting. */
  drained: () => void = () => undefined;

  constructor(socket: Socket, response: ServerResponse) {
    this.#socket = socket;
    this.#response = response;
    this.#fd = this.#socket._handle?.fd ?? -1;
  }

  write(frame: Buffer): boolean {
    const socket = this.#socket;
    // Without a handle it is closed, and the number may be another file's by now.
    const isFree = socket.writableLength === 0 && socket._handle && this.#fd >= 0;
    const sentBytes = isFree ? tryWrite(this.#fd, frame) : 0;
    if (sentBytes === frame.length) return true;
    // The stream's own `drain` knows only of what is above its high-water mark: in a quiet room a
    // reader that stands still would pass for one that takes everything.
    socket.write(frame.subarray(sentBytes), () => this.#look());
    this.#isFull = socket.writableLength > 0;
    return !this.#isFull;
  }

  #look(): void {
    if (!this.#isFull || this.#socket.writableLength > 0) return;
    this.#isFull = false;
    this.drained();
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** A socket with what Node keeps of its descriptor: below 0 on Windows, where it is no file. */
type Described = Socket & { readonly _handle?: { readonly fd?: number } | null };

/** @returns how many bytes the system took, without waiting */
function tryWrite(fd: number, frame: Buffer): number {
  try {
    return fs.writeSync(fd, frame);
  } catch {
    // Full (EAGAIN), or gone: the stream finds that out as well, and tells those who listen.
    return 0;
  }
}
