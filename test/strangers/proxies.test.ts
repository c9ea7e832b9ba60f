// The service behind the proxies of strangers, each program at its defaults and as its tutorials set it up:
// one smoke suite for all of them.
import { after, before, suite, test } from 'node:test';
import { need } from '../support/need.ts';
import { type Server, startServer } from '../support/server.ts';
import { programs } from './proxies.ts';
import { type Running, startProxies } from './proxy.ts';
import { smokes } from './smoke.ts';

suite('behind a proxy', { concurrency: true }, () => {
  let server: Server;
  before(async () => {
    server = await startServer({ env: { CHAT_DURABILITY: 'memory' } });
  });
  after(() => server.kill());

  for (const [number, program] of programs.entries()) {
    suite(program.name, { concurrency: true, skip: need(...program.needs) }, () => {
      let running: Running | undefined;
      before(async () => {
        running = await startProxies(program, server.port);
      });
      after(() => running?.stop());
      for (const [index, { name }] of program.recipes.entries()) {
        suite(name, () => {
          for (const [step, [what, run]] of Object.entries(smokes).entries()) {
            test(what, () =>
              run(running!.proxies[index]!, server, `room-${number}-${index}-${step}`),
            );
          }
        });
      }
    });
  }
});
