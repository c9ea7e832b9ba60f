/** Where a subscriber's frames go: straight to its socket. */
import fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Sink } from '../../live/subscriber.ts';
import { findDescriptor } from '../node-internals.ts';

/**
 * The socket of a stream whose head has been sent.
 *
 * A frame is offered to the system at once, by the socket's descriptor: Node's stream around the
 * same write costs half as much again, for every subscriber. What the system does not take, and
 * whatever comes while some of that waits, goes through the stream. So do errors, as the stream
 * knows how to end.
 */
export class SocketSink implements Sink {
  readonly #socket: Socket;
  readonly #response: ServerResponse;
  #isFull = false;
  /** Called when nothing waits any more, after a write that left something waiting. */
  drained: () => void = () => undefined;

  constructor(socket: Socket, response: ServerResponse) {
    this.#socket = socket;
    this.#response = response;
  }

  write(frame: Buffer): boolean {
    const socket = this.#socket;
    const sentBytes = socket.writableLength === 0 ? tryWrite(findDescriptor(socket), frame) : 0;
    if (sentBytes === frame.length) return true;
    // The stream's own `drain` tells only of what is above its high-water mark: in a quiet room a
    // client that takes nothing would pass for one that takes everything.
    socket.write(frame.subarray(sentBytes), () => this.#onWritten());
    this.#isFull = socket.writableLength > 0;
    return !this.#isFull;
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onWritten(): void {
    if (!this.#isFull || this.#socket.writableLength > 0) return;
    this.#isFull = false;
    this.drained();
  }
}

/**
 * @param fd below 0 if there is none
 * @returns how many bytes the system took, without waiting
 */
function tryWrite(fd: number, frame: Buffer): number {
  if (fd < 0) return 0;
  try {
    return fs.writeSync(fd, frame);
  } catch {
    // Full (EAGAIN), or closed: the stream finds that out too, and tells its listeners.
    return 0;
  }
}
