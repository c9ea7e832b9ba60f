// npm test: builds, checks and runs every test that this machine can run; names what it skipped and
// the command that brings what was missing. `npm test -- name` runs the files whose path contains
// the name, without the checks.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run as runTests } from 'node:test';
import { inspect } from 'node:util';
import { build } from './build.mjs';
import { check } from './check.mjs';
import { compileTests, fail, installPackages, listFiles, root } from './lib.mjs';

const fileTimeoutMs = 300_000;
const slowestFirst = ['mysql', 'service', 'browser', 'faults', 'contract', ''];
const timed = ['/faults/lock/', '/posting/lock-faults'];

const names = process.argv.slice(2);
const results = { passed: 0, failed: [], skipped: [] };

async function main() {
  const files = chooseFiles();
  const isTidy = names.length > 0 || check();
  for (const group of makeGroups(files)) await runGroup(group);
  process.exit(summarize() && isTidy ? 0 : 1);
}

/** Compiles what the chosen tests need, and gives their compiled files. */
function chooseFiles() {
  installPackages();
  compileTests();
  const all = listFiles('.build/test').filter((path) => path.endsWith('.test.js'));
  const isChosen = (path) => names.length === 0 || names.some((name) => path.includes(name));
  const chosen = all.filter(isChosen);
  if (chosen.length === 0) fail(`No test file's path contains ${names.join(' or ')}.`);
  if (!chosen.every((path) => /\/(unit|house)\//.test(path))) build();
  return chosen;
}

/**
 * Most files wait for processes and disks more than they compute, so twice as many run at a time as
 * there are cores, the slowest folders first. Those that judge how long something took run last, with
 * the machine to themselves.
 */
function makeGroups(files) {
  const cores = availableParallelism();
  const rank = (path) =>
    slowestFirst.findIndex((folder) => path.startsWith(`.build/test/${folder}`));
  const isTimed = (path) => timed.some((part) => path.includes(part));
  const sorted = files.toSorted((one, other) => rank(one) - rank(other));
  const groups = [
    { concurrency: 2 * cores, files: sorted.filter((path) => !isTimed(path)) },
    { concurrency: cores, files: sorted.filter(isTimed) },
  ];
  return groups.filter((group) => group.files.length > 0);
}

/** Runs the files of a group, prints a line for each, and adds to the results. */
async function runGroup(group) {
  const paths = group.files.map((path) => join(root, path));
  let report;
  for await (const { type, data } of runTests({ ...group, files: paths, timeout: fileTimeoutMs })) {
    if (type === 'test:stderr') process.stderr.write(data.message);
    if (!/^test:(start|diagnostic|pass|fail)$/.test(type) || data.file === undefined) continue;
    if (data.file !== report?.file) {
      report?.show();
      report = new FileReport(data.file);
    }
    if (type === 'test:start') report.begin(data);
    if (type === 'test:diagnostic' && data.nesting > 0) report.notes.push(data.message);
    if (type === 'test:pass' || type === 'test:fail') report.end(data, type === 'test:pass');
  }
  report?.show();
}

/** The results of one file. The runner reports one file after another. */
class FileReport {
  notes = [];
  #names = [];
  #count = 0;
  #durationMs = 0;
  #failures = [];

  constructor(file) {
    this.file = file;
  }

  begin({ name, nesting }) {
    this.#names.length = nesting;
    this.#names.push(name);
  }

  end({ name, nesting, details, skip, todo }, isPassed) {
    if (nesting === 0) this.#durationMs += details.duration_ms;
    const { error } = details;
    // A suite counts only where it failed by itself, as in its hooks.
    if (details.type === 'suite' && (isPassed || error.failureType === 'subtestsFailed')) return;
    const result = { name: [...this.#names.slice(0, nesting), name].join(' > '), file: this.file };
    // A to-do is a skip with another name: it proves nothing either.
    const reason = skip ?? todo;
    this.#count += 1;
    if (reason !== undefined) results.skipped.push({ ...result, reason });
    else if (isPassed) results.passed += 1;
    else {
      results.failed.push(result);
      this.#failures.push({ ...result, error: error.cause ?? error });
    }
  }

  show() {
    const mark = this.#failures.length === 0 ? '✔' : '✖';
    const seconds = (this.#durationMs / 1000).toFixed(1);
    console.log(`${mark} ${toSource(this.file)}: ${this.#count} tests, ${seconds} s`);
    for (const note of this.notes) console.log(indent(note));
    for (const { name, error } of this.#failures) {
      console.log(`  ✖ ${name}\n${indent(describe(error))}`);
    }
  }
}

/** The error's text, without the calls inside Node. */
function describe(error) {
  const text = typeof error === 'string' ? error : (error.stack ?? inspect(error));
  return text.replace(/\n +at .*node:internal.*/g, '');
}

function indent(text) {
  return text.replace(/^/gm, '    ');
}

/** Prints what failed, what was skipped and the counts; gives whether all passed that had to. */
function summarize() {
  const { passed, failed, skipped } = results;
  for (const { name, file } of failed) console.log(`FAILED   ${name} (${toSource(file)})`);
  for (const { name, file, reason } of skipped) {
    console.log(`SKIPPED  ${name} (${toSource(file)})\n         ${reason}`);
  }
  const isSkipFailure = process.env.CHAT_TEST_REQUIRE === 'all' && skipped.length > 0;
  if (isSkipFailure) console.log('CHAT_TEST_REQUIRE=all: a skipped test is a failure.');
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  return failed.length === 0 && passed > 0 && !isSkipFailure;
}

function toSource(file) {
  return file?.replace(`${root}/`, '').replace('.build/', '').replace(/\.js$/, '.ts');
}

// node:test takes uncaught errors for those of a test, and is silent about them here.
main().catch((error) => fail(inspect(error)));
