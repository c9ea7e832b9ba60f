// HTTP and event-stream clients on bare sockets: as little of their own as can be, so that what is
// measured is the server. They understand what the servers here answer, no more.
import net from 'node:net';

/** One kept-alive connection that sends one request at a time. */
export class Connection {
  #socket;
  #received = Buffer.alloc(0);
  #pending;

  /** Opens a connection. */
  static open(port) {
    return new Promise((resolve, reject) => {
      const connection = new Connection(port);
      connection.#socket.once('connect', () => resolve(connection)).once('error', reject);
    });
  }

  /** @private */
  constructor(port) {
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('close', () => this.#pending?.reject(new Error('the connection was closed')));
  }

  /** Sends a request and gives its answer's status and length. */
  send(request) {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, status: 0, left: undefined };
      this.#socket.write(request);
    });
  }

  close() {
    this.#pending = undefined;
    this.#socket.destroy();
  }

  #take(chunk) {
    const answer = this.#pending;
    if (answer === undefined) return;
    if (answer.left === undefined) {
      this.#received = Buffer.concat([this.#received, chunk]);
      const end = this.#received.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = this.#received.latin1Slice(0, end + 2);
      answer.status = Number(head.slice(9, 12));
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      answer.left = length - (this.#received.length - end - 4);
      this.#received = Buffer.alloc(0);
    } else {
      answer.left -= chunk.length;
    }
    if (answer.left > 0) return;
    this.#pending = undefined;
    answer.resolve(answer.status);
  }
}

/** The bytes of a GET. */
export function toGet(path, fields = '') {
  return `GET ${path} HTTP/1.1\r\nHost: bench\r\n${fields}\r\n`;
}

/** The bytes of a POST of one message. */
export function toPost(path, message, username = 'bench') {
  const body = `username=${username}&message=${encodeURIComponent(message)}`;
  const type = 'Content-Type: application/x-www-form-urlencoded\r\n';
  return `POST ${path} HTTP/1.1\r\nHost: bench\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** Sends the request and fails where its answer is not as it should be. */
export async function expectStatus(connection, request, statuses) {
  const status = await connection.send(request);
  if (!statuses.includes(status)) throw new Error(`status ${status}: ${request.slice(0, 80)}`);
}

/**
 * Opens live readers, some hundred at a time.
 *
 * @param {number} port of the server
 * @param {string} path of the stream
 * @param {number} count how many
 * @param {(chunk: Buffer, reader: number) => void} onData
 * @returns {Promise<{ close(): void, dropped: () => number }>}
 */
export async function openReaders(port, path, count, onData) {
  const sockets = [];
  let dropped = 0;
  let isClosing = false;
  const open = (reader) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: '127.0.0.1' });
      sockets.push(socket);
      socket.once('error', reject);
      socket.write(toGet(path, 'Accept: text/event-stream\r\n'));
      socket.once('data', (head) => {
        if (!head.latin1Slice(0, 15).includes(' 200 ')) reject(new Error(head.toString('latin1')));
        socket.on('data', (chunk) => onData(chunk, reader));
        resolve();
      });
      socket.on('close', () => {
        if (!isClosing) dropped += 1;
      });
    });
  for (let at = 0; at < count; at += 200) {
    const some = Array.from({ length: Math.min(200, count - at) }, (_, index) => open(at + index));
    await Promise.all(some);
  }
  return {
    close: () => {
      isClosing = true;
      for (const socket of sockets) socket.destroy();
    },
    dropped: () => dropped,
  };
}
