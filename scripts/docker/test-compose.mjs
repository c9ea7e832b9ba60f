// npm run test:compose: the topology of compose.yaml for real, on a Docker engine. If none answers, one is installed
// (with-engine.sh: Debian, root) and stopped afterwards; if no registry answers, base images are made (images.sh).
// `npm run test:compose -- name` runs the suites whose file name contains the name; with `--mysql` the rooms are in
// MySQL, as compose.mysql.yaml has it, for the suites that show what users see. Two suites run at a time, each in a
// Compose project of its own. Nothing is left behind but the cache folder.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from '../build.mjs';
import { compileTests, fail, installPackages, listFiles, mustRun, root, run } from '../lib.mjs';

// As test/compose/stack.ts names it.
const image = 'chat-test';
const suiteTimeoutMs = 900_000;
const inEngine = '--inside';
const onMysql = '--mysql';
const mysqlSuites = ['change', 'demonstration', 'fault', 'page'];

const args = process.argv.slice(2);
if (args[0] === inEngine) process.exit(await runSuites(args.slice(1)));
installPackages();
build();
compileTests();
const engine = join(root, 'scripts', 'docker', 'with-engine.sh');
process.exit(run('bash', [engine, process.execPath, process.argv[1], inEngine, ...args]));

/** Runs the suites, removes whatever they leave, and gives the exit code. */
async function runSuites(words) {
  const isOnMysql = words.includes(onMysql);
  const asked = words.filter((word) => word !== onMysql);
  const names = isOnMysql && asked.length === 0 ? mysqlSuites : asked;
  const all = listFiles('.build/test/compose').filter((path) => path.endsWith('.suite.js'));
  const files = all.filter(
    (path) => names.length === 0 || names.some((name) => path.includes(name)),
  );
  if (files.length === 0) fail(`No suite's path contains ${names.join(' or ')}.`);
  buildImages(isOnMysql);
  const options = ['--test', '--test-concurrency=2', `--test-timeout=${suiteTimeoutMs}`];
  options.push('--test-reporter=spec', '--test-reporter-destination=stdout');
  const env = { ...process.env, CHAT_TEST_COMPOSE: isOnMysql ? 'mysql' : 'folder' };
  const suites = spawn(process.execPath, [...options, ...files], {
    cwd: root,
    env,
    stdio: 'inherit',
  });
  // A signal ends the suites, not this script: it still has to clean up.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => suites.kill('SIGTERM'));
  const code = await new Promise((resolve) => {
    suites.once('close', (status) => resolve(status ?? 1));
    suites.once('error', (error) => fail(error.message));
  });
  for (const path of files) removeProject(`chat-test-${basename(path, '.suite.js')}`);
  for (const name of [image, `${image}-mysql`]) {
    removeAll(['image', 'rm', '--force'], ['image', 'ls', name]);
  }
  return code;
}

/**
 * Makes the base images where they are missing, and of them the service's image, once for all suites: from
 * files as they are after a clone under a umask of 077.
 */
function buildImages(isOnMysql) {
  const bases = ['node', 'nginx', ...(isOnMysql ? ['mysql'] : [])];
  mustRun('bash', [join(root, 'scripts', 'docker', 'images.sh'), ...bases]);
  const context = mkdtempSync(join(tmpdir(), 'chat-context-'));
  const files = ['compose.yaml', ...(isOnMysql ? ['compose.mysql.yaml'] : [])];
  const ignores = readFileSync(join(root, '.dockerignore'), 'utf8');
  const sent = [...ignores.matchAll(/^!(.+)$/gm)].map(([, path]) => path);
  for (const path of ['.dockerignore', 'Dockerfile', ...files, ...sent]) {
    cpSync(join(root, path), join(context, path), { recursive: true });
  }
  mustRun('chmod', ['-R', 'go=', context]);
  const env = { ...process.env, CHAT_IMAGE: image };
  const args = ['compose', ...files.flatMap((file) => ['-f', file]), 'build', '--quiet', 'chat'];
  mustRun('docker', args, { cwd: context, env });
  rmSync(context, { recursive: true });
}

/** Removes a suite's containers, networks and volumes, whatever state they were left in. */
function removeProject(project) {
  const filter = ['--filter', `label=com.docker.compose.project=${project}`];
  const containers = ['container', 'ls', '--all', ...filter];
  removeAll(['container', 'rm', '--force', '--volumes'], containers);
  removeAll(['network', 'rm'], ['network', 'ls', ...filter]);
  removeAll(['volume', 'rm', '--force'], ['volume', 'ls', ...filter]);
}

/** Gives the ids that one `docker` command lists to another that removes them. */
function removeAll(removal, listing) {
  const { stdout } = spawnSync('docker', [...listing, '--quiet'], { encoding: 'utf8' });
  const ids = (stdout ?? '').split('\n').filter(Boolean);
  const stdio = ['ignore', 'ignore', 'inherit'];
  if (ids.length > 0) run('docker', [...removal, ...new Set(ids)], { stdio });
}
