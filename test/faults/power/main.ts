// npm run test:power -- --losses N [--rooms N] [--kind ext4|xfs]; as root, on Linux
import { parseArgs } from 'node:util';
import { type Kind, losePower } from './power-loss.ts';

const { values } = parseArgs({
  options: {
    losses: { type: 'string', default: '50' },
    rooms: { type: 'string', default: '64' },
    kind: { type: 'string', default: 'ext4,xfs' },
  },
});

let isGood = true;
for (const kind of values.kind.split(',') as Kind[]) {
  const result = await losePower(kind, Number(values.rooms), Number(values.losses));
  const { faults, acknowledged, losses, restoredRooms } = result;
  console.log(
    `${kind}: ${losses} losses of power, ${acknowledged} acknowledged, ${restoredRooms} rooms restored`,
  );
  for (const fault of faults.slice(0, 20)) console.log(`FAULT ${fault}`);
  if (faults.length > 0) isGood = false;
}
console.log(isGood ? 'nothing lost' : 'messages were lost');
process.exit(isGood ? 0 : 1);
