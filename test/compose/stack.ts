// The topology of compose.yaml as a suite uses it: started, changed, inspected, and removed without
// a trace.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { get } from '../support/http.ts';
import { projectFolder } from '../support/paths.ts';
import { findFreePort, pause, waitUntil } from '../support/server.ts';

const execute = promisify(execFile);

/** Whether the rooms are in MySQL (`npm run test:compose -- --mysql`), or else in a shared folder. */
export const isOnMysql = process.env.CHAT_TEST_COMPOSE === 'mysql';
/** The image that scripts/docker/test-compose.mjs builds; a user's own stack runs another. */
export const testImage = 'chat-test';
/** This suite's Compose project: every container, network and volume has its name. */
export const testProject = `chat-test-${basename(process.argv[1] ?? '', '.suite.js')}`;

const timeoutMs = 240_000;
// An empty database takes its time to be made.
const serveTimeoutMs = 120_000;

/** Runs `docker` and gives what it printed; a failure says what it said. */
export async function docker(...args: string[]): Promise<string> {
  return await run('docker', args, {});
}

async function run(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const options = { cwd: projectFolder, env: { ...process.env, ...env }, timeout: timeoutMs };
  try {
    const { stdout } = await execute(command, args, { ...options, maxBuffer: 64 << 20 });
    return stdout.trim();
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    throw new Error(`${command} ${args.join(' ')}: ${stderr.trim() || message}`);
  }
}

/** One running container. */
export interface Container {
  id: string;
  name: string;
  /** As `docker inspect` gives it. */
  details: ContainerDetails;
}

/** The part of `docker inspect` that the suites read. */
export interface ContainerDetails {
  Config: { User: string; Hostname: string; Healthcheck: { Test: string[] } };
  HostConfig: {
    ReadonlyRootfs: boolean;
    CapDrop: string[] | null;
    CapAdd: string[] | null;
    SecurityOpt: string[] | null;
    Memory: number;
    LogConfig: { Type: string; Config: Record<string, string> };
    PortBindings: Record<string, unknown> | null;
  };
}

/** A running topology. */
export interface Stack {
  /** The port of 127.0.0.1 that nginx publishes. */
  port: number;
  /** `docker compose` with this project's files and settings. */
  compose(...args: string[]): Promise<string>;
  /** The containers of a service that run now. */
  containers(service: string): Promise<Container[]>;
  /** Restarts or kills a replica by a `docker` command, and waits until it listens again. */
  bringBack(id: string, ...commands: string[]): Promise<void>;
  /** Waits until a request is answered: a container runs a moment before its process listens. */
  waitUntilServing(): Promise<void>;
  /** What `docker compose logs` has of a service. */
  logs(service: string): Promise<string>;
  /** Removes everything, rooms too. */
  remove(): Promise<void>;
}

/** Starts three replicas and nginx as a user does, and waits until nginx serves. */
export async function openStack(): Promise<Stack> {
  const stack = await makeStack();
  await stack.compose('up', '--detach');
  await stack.waitUntilServing();
  return stack;
}

/** Starts nginx without a replica. */
export async function openNginx(): Promise<Stack> {
  const stack = await makeStack();
  await stack.compose('up', '--detach', '--no-deps', 'nginx');
  return stack;
}

async function makeStack(): Promise<Stack> {
  const port = await findFreePort();
  const files = isOnMysql ? ['compose.yaml', 'compose.mysql.yaml'] : ['compose.yaml'];
  const head = ['compose', '--project-name', testProject, ...files.flatMap((file) => ['-f', file])];
  const env = { CHAT_PORT: String(port), CHAT_IMAGE: testImage, TZ: 'UTC' };
  const compose = (...args: string[]) => run('docker', [...head, ...args], env);
  const takeDown = async (tries = 3): Promise<void> => {
    const down = compose('down', '--volumes', '--remove-orphans', '--timeout', '15');
    // The engine says now and then that a network has endpoints whose containers it has just removed.
    await down.catch((error: Error) => {
      if (tries === 0 || !/has active endpoints/.test(error.message)) throw error;
      return pause(2000).then(() => takeDown(tries - 1));
    });
  };
  const stack: Stack = {
    port,
    compose,
    containers: async (service) => {
      const ids = await compose('ps', '--quiet', '--status', 'running', service);
      return await inspect(ids.split('\n').filter(Boolean));
    },
    bringBack: async (id, ...commands) => {
      const before = await countStarts(id);
      for (const command of commands) await docker(command, id);
      const isBack = async () => (await countStarts(id)) > before;
      await waitUntil('it listens', isBack, 60_000);
    },
    waitUntilServing: () =>
      waitUntil(
        'an answer through nginx',
        () =>
          get({ port }, '/chat/general').then(
            ({ status }) => status === 200,
            () => false,
          ),
        serveTimeoutMs,
      ),
    logs: (service) => compose('logs', '--no-color', '--no-log-prefix', service),
    remove: async () => {
      await keepLogs(stack);
      await takeDown();
    },
  };
  await takeDown();
  return stack;
}

/** How often a replica said that it listens. */
async function countStarts(id: string): Promise<number> {
  return (await docker('logs', id)).split('chat: open ').length;
}

/** Keeps the containers' logs for whoever studies a failure, in the folder CHAT_TEST_LOGS. */
async function keepLogs(stack: Stack): Promise<void> {
  const folder = process.env.CHAT_TEST_LOGS;
  if (!folder) return;
  for (const service of isOnMysql ? ['nginx', 'chat', 'mysql'] : ['nginx', 'chat']) {
    const lines = await stack.compose('logs', '--no-color', '--timestamps', service);
    writeFileSync(join(folder, `${service}.log`), `${lines}\n`);
  }
}

async function inspect(ids: string[]): Promise<Container[]> {
  if (ids.length === 0) return [];
  const all = JSON.parse(await docker('inspect', ...ids)) as (ContainerDetails & {
    Id: string;
    Name: string;
  })[];
  return all
    .map((details) => ({ id: details.Id, name: details.Name.slice(1), details }))
    .sort((a, b) => a.name.localeCompare(b.name));
}
