// npm test: builds, checks and runs every test that this machine can run; names what it skipped and
// how to bring what was missing. `npm test -- name` runs the files whose path contains the name.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { check } from './check.mjs';
import { fail, installPackages, listFiles, mustRun, programOf, remove, root, run } from './lib.mjs';

const fileTimeoutMs = 300_000;

const names = process.argv.slice(2);
installPackages();
build();
removeStaleOutputs();
mustRun(process.execPath, [programOf('tsc'), '-p', 'test']);
const isTidy = names.length > 0 || check();
const files = chooseTests(names);
if (files.length === 0) fail(`No test file's path contains ${names.join(' or ')}.`);
const isGreen = runTests(files);
process.exit(isTidy && isGreen ? 0 : 1);

/** Takes compiled files away whose source is gone: they would run on as tests of nothing. */
function removeStaleOutputs() {
  for (const path of listFiles('.build')) {
    if (!path.endsWith('.js')) continue;
    const source = path.replace(/^\.build\//, '').replace(/\.js$/, '.ts');
    if (existsSync(join(root, source))) continue;
    remove(path);
    remove('.build/tsconfig.tsbuildinfo');
  }
}

function chooseTests(wanted) {
  const all = listFiles('.build/test').filter((path) => path.endsWith('.test.js'));
  if (wanted.length === 0) return all;
  return all.filter((path) => wanted.some((name) => path.includes(name)));
}

/** Runs the files, prints the summary, and gives whether nothing failed that had to pass. */
function runTests(files) {
  const scratch = mkdtempSync(join(tmpdir(), 'chat-report-'));
  const report = join(scratch, 'report.jsonl');
  const args = ['--test', '--test-concurrency=2', `--test-timeout=${fileTimeoutMs}`];
  args.push('--test-reporter=spec', '--test-reporter-destination=stdout');
  args.push('--test-reporter=./scripts/reporter.mjs', `--test-reporter-destination=${report}`);
  const code = run(process.execPath, [...args, ...files]);
  const entries = readReport(report);
  rmSync(scratch, { recursive: true });
  return summarize(entries) && code === 0;
}

function readReport(path) {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

function summarize(entries) {
  const counts = entries.at(-1)?.counts;
  if (!counts) fail('The test runner ended before its report.');
  for (const { outcome, name, file } of entries) {
    if (outcome === 'failed') console.log(`FAILED   ${name}${inFile(file)}`);
  }
  for (const { outcome, name, file, reason } of entries) {
    if (outcome === 'skipped') console.log(`SKIPPED  ${name}${inFile(file)}\n         ${reason}`);
  }
  const isSkipFailure = process.env.CHAT_TEST_REQUIRE === 'all' && counts.skipped > 0;
  if (isSkipFailure) console.log('CHAT_TEST_REQUIRE=all: a skipped test is a failure.');
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed === 0 && counts.passed > 0 && !isSkipFailure;
}

function inFile(file) {
  return file ? ` (${file.replace(`${root}/`, '').replace('.build/', '')})` : '';
}
