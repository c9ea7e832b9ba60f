// A wire between the service and its database that can be cut at a chosen statement.
import { connect, createServer, type Socket } from 'node:net';

/** How a wire treats the next COMMIT: cut after the database got it, or before. */
export type Cut = 'after' | 'before';

/** The wire. */
export interface Wire {
  port: number;
  /** Cuts at the next COMMIT; with `staysDown` nothing gets through until {@link Wire.mend}. */
  cutAtCommit(how: Cut, staysDown: boolean): void;
  /** How often it was cut. */
  cutCount(): number;
  /** What was sent together with the COMMIT at which it was cut. */
  sentAtCut(): string;
  mend(): void;
  close(): void;
}

/** How long the database has to finish what it was sent before a cut. */
const finishMs = 500;

/** Opens a wire to a port of 127.0.0.1. */
export async function openWire(databasePort: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let armed: { how: Cut; staysDown: boolean } | undefined;
  let isDown = false;
  let cuts = 0;
  let sent = '';
  const server = createServer((client) => {
    if (isDown) {
      client.destroy();
      return;
    }
    const database = connect(databasePort, '127.0.0.1');
    const cut = () => {
      client.destroy();
      database.destroy();
    };
    let isMute = false;
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        // A cut after the commit lets the database finish what it was sent.
        if (!isMute) cut();
      });
    }
    database.on('data', (bytes) => {
      if (!isMute) client.write(bytes);
    });
    client.on('data', (bytes) => {
      if (armed && bytes.includes('COMMIT')) {
        const { how, staysDown } = armed;
        armed = undefined;
        cuts += 1;
        sent = bytes.toString('latin1');
        isDown = staysDown;
        isMute = how === 'after';
        if (isMute) {
          database.write(bytes);
          setTimeout(() => database.destroy(), finishMs);
        } else database.destroy();
        client.destroy();
        if (staysDown) for (const other of sockets) if (other !== database) other.destroy();
        return;
      }
      database.write(bytes);
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
  return {
    port,
    cutAtCommit: (how, staysDown) => {
      armed = { how, staysDown };
    },
    cutCount: () => cuts,
    sentAtCut: () => sent,
    mend: () => {
      isDown = false;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
