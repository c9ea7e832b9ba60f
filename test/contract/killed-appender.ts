// Appends one message to a store, and is killed once it is stored, before it can tell anybody.
import { openStore } from './stores.ts';

const [address = '', room = '', message = '', offset = ''] = process.argv.slice(2);
const store = await openStore(address);
const since = { epoch: undefined, offset: Number(offset) };
await store.append(room, { username: 'u', message }, since);
process.kill(process.pid, 'SIGKILL');
