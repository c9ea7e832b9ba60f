// npm run test:compose: the topology of compose.yaml for real, on a Docker engine. Where none answers, one is brought
// (with-engine.sh: Debian, root) and stopped afterwards; where no registry answers, base images are made (images.sh).
// `npm run test:compose -- name` runs the suites whose file name contains the name; with `--mysql` the rooms are in MySQL,
// as compose.mysql.yaml has it, for the suites that show what users see. Nothing is left behind but the cache folder.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from '../build.mjs';
import { compileTests, fail, installPackages, listFiles, mustRun, root, run } from '../lib.mjs';

const project = 'chat-test';
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

/** Runs the suites one after another and takes away whatever they leave; gives the exit code. */
async function runSuites(words) {
  const isOnMysql = words.includes(onMysql);
  const asked = words.filter((word) => word !== onMysql);
  const names = isOnMysql && asked.length === 0 ? mysqlSuites : asked;
  const images = ['node', 'nginx', ...(isOnMysql ? ['mysql'] : [])];
  mustRun('bash', [join(root, 'scripts', 'docker', 'images.sh'), ...images]);
  const all = listFiles('.build/test/compose').filter((path) => path.endsWith('.suite.js'));
  const files = all.filter(
    (path) => names.length === 0 || names.some((name) => path.includes(name)),
  );
  if (files.length === 0) fail(`No suite's path contains ${names.join(' or ')}.`);
  const options = ['--test', '--test-concurrency=1', `--test-timeout=${suiteTimeoutMs}`];
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
  removeTraces();
  return code;
}

/** Containers, networks, volumes and the image of the suites, whatever state they were left in. */
function removeTraces() {
  const label = `label=com.docker.compose.project=${project}`;
  const list = (...what) =>
    (spawnSync('docker', [...what, '--quiet'], { encoding: 'utf8' }).stdout ?? '')
      .split('\n')
      .filter(Boolean);
  const removals = [
    [
      ['container', 'rm', '--force', '--volumes'],
      list('container', 'ls', '--all', '--filter', label),
    ],
    [['network', 'rm'], list('network', 'ls', '--filter', label)],
    [['volume', 'rm', '--force'], list('volume', 'ls', '--filter', label)],
    [['image', 'rm', '--force'], list('image', 'ls', project)],
    [['image', 'rm', '--force'], list('image', 'ls', `${project}-mysql`)],
  ];
  for (const [command, ids] of removals) {
    if (ids.length > 0)
      run('docker', [...command, ...ids], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}
