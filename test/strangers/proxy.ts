// What a configuration of a proxy is, and how one is started in front of a service.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProxyServerOptions } from 'httpxy';
import { get } from '../support/http.ts';
import type { need } from '../support/need.ts';
import { makeTempFolder } from '../support/paths.ts';
import { findFreePort, waitUntil, watch } from '../support/server.ts';

/** The name under which browsers know the site. It is not `localhost`, as they trust that one more. */
export const site = 'chat.lan';

/** One configuration. */
export interface Recipe {
  name: string;
  /** What of the program's configuration belongs to it; `PORT` and `UPSTREAM` stand for the ports. */
  text: string;
  /** The Host that reaches the service in place of the client's, where nothing names that. */
  hides?: string;
  /** It takes `%2F` in a path for something else than a part of a name. */
  breaksSlashes?: true;
  /** It keeps what it was given, and may answer with the whole where a part or `304` would do. */
  isCache?: true;
  /** It names an entity anew when it compresses, so a compressed one is never `304`. */
  renamesCompressed?: true;
  /** It does not show the operators' pages. */
  hidesOperators?: true;
  /** Options of a proxy in JavaScript. */
  options?: ProxyServerOptions;
}

/** A configuration that runs. */
export interface RunningProxy extends Recipe {
  port: number;
}

interface Started {
  children: ChildProcess[];
  /** Ends what is no child. */
  stop?(): void;
}

/** A program with its configurations. */
export interface Program {
  name: string;
  needs: Parameters<typeof need>;
  recipes: Recipe[];
  /** Starts them, in one process where the program can do that. */
  start(recipes: RunningProxy[], upstream: number, folder: string): Started;
}

/** A program that runs. */
export interface Running {
  proxies: RunningProxy[];
  stop(): void;
}

/** Starts all configurations of a program in front of a service, and waits until each answers. */
export async function startProxies(program: Program, upstream: number): Promise<Running> {
  const folder = makeTempFolder('proxy');
  // Some programs give up their rights before they write their files.
  chmodSync(folder, 0o777);
  const proxies: RunningProxy[] = [];
  for (const recipe of program.recipes) {
    const port = await findFreePort();
    const fill = (text: string) =>
      text.replaceAll('UPSTREAM', `${upstream}`).replaceAll('PORT', `${port}`);
    const hides = recipe.hides && { hides: fill(recipe.hides) };
    proxies.push({ ...recipe, ...hides, text: fill(recipe.text), port });
  }
  const started = program.start(proxies, upstream, folder);
  const children = started.children.map((child) => watch(child, { isGroup: true }));
  const isUp = async ({ port }: RunningProxy): Promise<boolean> => {
    const answer = await get({ port }, '/general', { host: site }).catch(() => undefined);
    return answer?.status === 200;
  };
  for (const proxy of proxies) {
    await waitUntil(`${proxy.name} answers`, () => isUp(proxy)).catch((error: Error) => {
      const lines = children.flatMap(({ stdout, stderr }) => [...stdout, ...stderr]);
      throw new Error(`${error.message}:\n${lines.join('\n')}`);
    });
  }
  const stop = () => {
    for (const { pid } of children) process.kill(-pid, 'SIGKILL');
    started.stop?.();
  };
  return { proxies, stop };
}

/** Starts a program in a process group of its own, which ends as a whole. */
export function run(command: string, args: string[], cwd: string, env = process.env): ChildProcess {
  return spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
}

/** Writes a file of configuration, and gives its path. */
export function write(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
