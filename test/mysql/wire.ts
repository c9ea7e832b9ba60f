// A wire between the service and its database that is cut at a COMMIT.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Whether the database gets the COMMIT at which the wire is cut. */
export type Cut = 'after' | 'before';

/** The wire. */
export interface Wire {
  port: number;
  /** Cuts at the next COMMIT; with `staysDown` nothing gets through until {@link Wire.mend}. */
  cutAtCommit(how: Cut, staysDown: boolean): void;
  /** How often it was cut. */
  cutCount(): number;
  mend(): void;
  close(): void;
}

/** Opens a wire to a port of 127.0.0.1. */
export async function openWire(databasePort: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let armed: { how: Cut; staysDown: boolean } | undefined;
  let isDown = false;
  let cuts = 0;
  const server = createServer((client) => {
    if (isDown) {
      client.destroy();
      return;
    }
    const database = connect(databasePort, '127.0.0.1');
    let isCut = false;
    const cut = () => {
      client.destroy();
      // A database that got its COMMIT is left to finish it: its answer ends this side.
      if (!isCut) database.destroy();
    };
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }
    database.on('data', (bytes) => {
      if (isCut) database.destroy();
      else client.write(bytes);
    });
    client.on('data', (bytes) => {
      if (!armed || !bytes.includes('COMMIT')) {
        database.write(bytes);
        return;
      }
      const { how, staysDown } = armed;
      armed = undefined;
      cuts += 1;
      isDown = staysDown;
      isCut = how === 'after';
      if (isCut) database.write(bytes);
      cut();
      if (staysDown) for (const other of sockets) if (other !== database) other.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cutAtCommit: (how, staysDown) => {
      armed = { how, staysDown };
    },
    cutCount: () => cuts,
    mend: () => {
      isDown = false;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
