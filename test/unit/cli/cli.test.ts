// The command line: what it runs, and how a run that fails ends (contract §7).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** Runs the command line in a process of its own; without words it runs the script's `serve`. */
function run(words: string[], serve = '') {
  const importOf = (path: string) =>
    JSON.stringify(new URL(`../../../lib/${path}`, import.meta.url).href);
  const script = `import { runCommandLine } from ${importOf('cli/cli.js')};
    import { ServiceError } from ${importOf('errors.js')};
    await runCommandLine(${JSON.stringify(words)}, async () => { ${serve} });`;
  const args = ['--input-type=module', '-e', script];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('without words it serves', () => {
  assert.deepEqual(run([], 'console.log(1)'), { status: 0, stdout: '1\n', stderr: '' });
});

test('a word that is no command, or has the wrong number of arguments, is a bad value', () => {
  for (const words of [
    ['serve'],
    ['migrate'],
    ['migrate', 'a'],
    ['recover', 'a', 'b'],
    ['constructor'],
    [''],
  ]) {
    const { status, stderr } = run(words, 'console.log(1)');
    assert.match(
      stderr,
      /^chat: takes no command but: migrate FROM TO .*; recover \[FOLDER\] .*\n$/,
    );
    assert.equal(status, 2);
  }
});

test('an expected failure is one line, with exit code 2 for a bad value and 1 for the rest', () => {
  for (const [code, status] of [
    ['bad-request', 2],
    ['unavailable', 1],
  ]) {
    const serve = `throw new ServiceError('${code}', 'two\\nlines')`;
    assert.deepEqual(run([], serve), { status, stdout: '', stderr: 'chat: two lines\n' });
  }
});

test('a bug keeps its stack', () => {
  const { status, stderr } = run([], 'undefined.x');
  assert.match(stderr, /TypeError: .*\n +at /);
  assert.equal(status, 1);
});
