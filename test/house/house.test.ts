// The house keeps its own rules. Every rule is shown to catch a bad sample first.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { need } from '../support/need.ts';
import { projectFolder } from '../support/paths.ts';
import { drawImports, readArchitecture, readPicture } from './picture.ts';
import * as rules from './rules.ts';

type Rule = (files: rules.Files) => string[];

const doc = '/** What it is. */\n';
const longBody = '  step();\n'.repeat(60);

const folderHeader = '/**\n * What a room is. It reads nothing.\n * The store keeps it.\n */\n';

interface Example {
  rule: Rule;
  /** Each is caught, exactly once. */
  bad: Record<string, string>[];
  /** None of it is. */
  good: Record<string, string>;
}

const examples: Record<string, Example> = {
  'a file in lib/ has at most 350 lines': {
    rule: rules.findLongFiles,
    bad: [{ 'lib/a.ts': 'a;\n'.repeat(351) }],
    good: { 'lib/a.ts': 'a;\n'.repeat(350), 'test/a.ts': 'a;\n'.repeat(400) },
  },
  'a function has at most 60 lines': {
    rule: rules.findLongFunctions,
    bad: [
      { 'lib/a.ts': `function run(): void {\n${longBody}}\n` },
      { 'lib/a.ts': `export async function run(\n  a: A,\n): Promise<void> {\n${longBody}}\n` },
      { 'server.ts': `const run = (a: A) => {\n${longBody}};\n` },
      { 'lib/a.ts': `class A {\n  async #run(a: A): Promise<void> {\n${longBody}  }\n}\n` },
      { 'lib/a.ts': `class A {\n  constructor(\n    a: A,\n  ) {\n${longBody}  }\n}\n` },
    ],
    good: {
      'lib/a.ts': `function run(): void {\n${'  step();\n'.repeat(58)}}\n`,
      'lib/b.ts': `if (\n  a\n) {\n${longBody}}\nexport class A {\n${longBody}}\n`,
      'bench/a.ts': `function run(): void {\n${longBody}}\n`,
    },
  },
  'a folder with code has at most 12 files': {
    rule: rules.findCrowdedFolders,
    bad: [makeFolder('lib/room', 13), makeFolder('scripts', 13), makeFolder('test/unit/a', 13)],
    good: {
      ...makeFolder('lib/room', 12),
      ...makeFolder('lib/room/inner', 12),
      ...makeFolder('lib/http/routes', 13),
      ...makeFolder('static/panels', 13),
      ...makeFolder('docs', 13),
    },
  },
  'every folder in lib/ has a face that says what it is for': {
    rule: rules.findFacelessFolders,
    bad: [
      { 'lib/new/a.ts': folderHeader },
      { 'lib/room/name.ts': folderHeader },
      { 'lib/room/message.ts': "import './name.ts';\n" },
      { 'lib/room/message.ts': '/** Messages. */\n' },
    ],
    good: {
      'lib/room/message.ts': folderHeader,
      'lib/room/name.ts': '',
      'lib/errors.ts': '',
    },
  },
  'lib/ uses the words of the glossary': {
    rule: rules.findPrivateWords,
    bad: [
      { 'lib/a.ts': '// It looks at the file.\n' },
      { 'lib/a.ts': 'const isDead = true;\n' },
      { 'lib/a.ts': '/** A place in a room. */\n' },
      { 'lib/a.ts': 'function pokeHub(): void {}\n' },
      { 'server.ts': "fail('looking for the store');\n" },
    ],
    good: {
      'lib/a.ts': 'text.replace(placeholder, deadline); // written in place by dns.lookup\n',
      'test/a.ts': '// A dead process looks for its place.\n',
    },
  },
  'imports run one way': {
    rule: rules.findWrongImports,
    bad: [
      { 'lib/room/name.ts': "import { a } from '../errors.ts';\n" },
      { 'lib/room/name.ts': "import fs from 'node:fs';\n" },
      { 'lib/errors.ts': "import { a } from './room/name.ts';\n" },
      { 'lib/ops/log.ts': "import { a } from '../config/config.ts';\n" },
      { 'lib/disk/disk.ts': "import { a } from '../lock/lock.ts';\n" },
      { 'lib/lock/lock.ts': "import { a } from '../store/folder/watch.ts';\n" },
      { 'lib/store/store.ts': "import { a } from './folder/watch.ts';\n" },
      { 'lib/store/folder/append.ts': "import { a } from '../../http/app.ts';\n" },
      { 'lib/store/folder/append.ts': "import type { Hub } from '../../live/hub.ts';\n" },
      { 'lib/store/mysql/pool.ts': "import { a } from '../folder/append.ts';\n" },
      { 'lib/store/mysql/pool.ts': "import { a } from '../../disk/disk.ts';\n" },
      { 'lib/store/mysql/pool.ts': "import { a } from '../../lock/lock.ts';\n" },
      { 'lib/live/hub.ts': "import { a } from '../http/app.ts';\n" },
      { 'lib/live/hub.ts': "import {\n  a,\n} from '../store/folder/append.ts';\n" },
      { 'lib/http/app.ts': "import { a } from '../lock/lock.ts';\n" },
      { 'lib/http/app.ts': "export { a } from '../../server.ts';\n" },
      { 'lib/http/routes/a.ts': "import { a } from './b.ts';\n" },
      { 'lib/config/config.ts': "const a = await import('../store/store.ts');\n" },
      { 'lib/new/a.ts': "import { a } from '../errors.ts';\n" },
      { 'lib/http/app.ts': "import express from 'express';\n" },
      { 'lib/store/folder/append.ts': "const driver = await import('mysql2/promise');\n" },
      { 'lib/store/mysql/driver.ts': "import driver from 'mysql2/promise';\n" },
    ],
    good: {
      'server.ts': "import { a } from './lib/store/folder/folder-store.ts';\n",
      'lib/http/app.ts': "import type { Store } from '../store/store.ts';\nimport './router.ts';\n",
      'lib/live/hub.ts': "import { a } from '../room/cursor.ts';\nimport http from 'node:http';\n",
      'lib/store/mysql/driver.ts':
        "import type { A } from 'mysql2';\nawait import('mysql2/promise');\n",
      'lib/store/folder/append.ts':
        "import { a } from '../../lock/lock.ts';\nimport { b } from '../../errors.ts';\n",
    },
  },
  'the page imports one way': {
    rule: rules.findWrongPageImports,
    bad: [
      { 'static/lib/dom.js': "import { room } from '../model/room.js';\n" },
      { 'static/model/line.js': "import { reader } from '../net/reader.js';\n" },
      { 'static/net/reader.js': "import { log } from '../sync/log.js';\n" },
      { 'static/sync/log.js': "import { rows } from '../messages/rows.js';\n" },
      { 'static/messages/row.js': "import '../panels/identity.js';\n" },
      { 'static/panels/rooms.js': "import { composer } from './composer.js';\n" },
      { 'static/panels/rooms.js': "import '../app.js';\n" },
      { 'static/boot.js': "import './app.js';\n" },
      { 'static/boot.js': "import('./lib/dom.js');\n" },
      { 'static/app.js': "import 'https://example.org/a.js';\n" },
      { 'static/new/a.js': "import '../lib/dom.js';\n" },
    ],
    good: {
      'static/boot.js': "import('./app.js').then(start);\n",
      'static/app.js': "import './panels/rooms.js';\nimport { log } from './sync/log.js';\n",
      'static/panels/rooms.js': "import { room } from '../model/room.js';\n",
      'static/sync/log.js': "import { pause } from '../lib/time.js';\nimport './tabs.js';\n",
    },
  },
  'no import goes in a circle': {
    rule: rules.findImportCircles,
    bad: [
      { 'lib/a.ts': "import './b.ts';\n", 'lib/b.ts': "import './a.ts';\n" },
      { 'static/a.js': "import './b.js';\n", 'static/b.js': "import './a.js';\n" },
    ],
    good: { 'lib/a.ts': "import './b.ts';\nimport './c.ts';\n", 'lib/b.ts': "import './c.ts';\n" },
  },
  'every file in lib/ is used': {
    rule: rules.findUnusedFiles,
    bad: [
      { 'server.ts': "import './lib/a.ts';\n", 'lib/a.ts': '', 'lib/b.ts': "import './a.ts';" },
    ],
    good: { 'server.ts': "import './lib/a.ts';\n", 'lib/a.ts': "import './b.ts';", 'lib/b.ts': '' },
  },
  'process.env and the console have one file each': {
    rule: rules.findForbiddenGlobals,
    bad: [
      { 'lib/ops/log.ts': 'const level = process.env.CHAT_LOG;\n' },
      { 'server.ts': "console.log('started');\n" },
      { 'lib/http/app.ts': "process.stdout.write('x');\n" },
    ],
    good: {
      'lib/config/config.ts': 'const port = process.env.PORT;\n',
      'lib/ops/log.ts': 'process.stdout.write(line);\n',
      'lib/a.ts': '/** Not console.log. */\n// nor process.env\n',
    },
  },
  'every export has a docstring': {
    rule: rules.findMissingDocstrings,
    bad: [
      { 'lib/a.ts': 'export function run(): void {}\n' },
      { 'lib/a.ts': '// A comment.\nexport const a = 1;\n' },
      { 'lib/a.ts': `${doc}\nexport interface A {}\n` },
    ],
    good: { 'lib/a.ts': `${doc}export const a = 1;\nexport { b } from './b.ts';\n` },
  },
  'nothing is left for later': {
    rule: rules.findUnfinished,
    bad: [
      { 'lib/a.ts': `// ${'TO'}${'DO'}: later\n` },
      { 'static/a.js': `/* ${'FIX'}${'ME'} */\n` },
    ],
    good: { 'lib/a.ts': 'const todos = 1;\n' },
  },
  'no tracked file names a folder of one machine': {
    rule: rules.findMachinePaths,
    bad: [{ 'README.md': `cd ${'/wo'}${'rk/chat'}\n` }, { 'a.json': `"${'/ro'}${'ot/.cache'}"` }],
    good: { 'README.md': 'GET /chat/work/ http://localhost/home/ ~/work/chat ./work/x\n' },
  },
  'no package at run time, no download address in the lock': {
    rule: rules.findPackageFaults,
    bad: [{ 'package.json': '{"dependencies":{}}' }, { 'package-lock.json': '{"resolved":"a"}' }],
    good: {
      'package.json':
        '{"peerDependencies":{"a":"1"},"peerDependenciesMeta":{"a":{"optional":true}}}',
      'package-lock.json': '{"version":"1.0.0"}',
    },
  },
};

for (const [sentence, { rule, bad, good }] of Object.entries(examples)) {
  suite(sentence, () => {
    test('and a bad sample is caught', () => {
      for (const files of bad) {
        const violations = rule(new Map(Object.entries(files)));
        assert.equal(violations.length, 1, `${JSON.stringify(files)}: ${violations.join('; ')}`);
      }
      assert.deepEqual(rule(new Map(Object.entries(good))), []);
    });

    test('and so it is here', { skip: need('git') }, () => {
      assert.deepEqual(rule(readTracked()), []);
    });
  });
}

/** So many files in one folder. */
function makeFolder(folder: string, count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`${folder}/${n}.ts`, '']));
}

suite('the picture in docs/architecture.md', () => {
  test('shows who may import whom', () => {
    const picture = drawImports({
      'errors.ts': [],
      'room/': ['room/'],
      'http/routes/': ['http/', 'room/', 'errors.ts'],
      'http/': ['http/', 'store/store.ts'],
      'store/': ['room/'],
    });
    const arrows = picture.split('\n').filter((line) => line.includes('-->'));
    assert.deepEqual(arrows, [
      '  http --> room & store',
      '  server_ts --> http',
      '  store --> room',
    ]);
  });

  test('has the same faces of folders beside it', () => {
    for (const [folder, face] of Object.entries(rules.faces)) {
      const row = new RegExp(`^\\| \`lib/${folder}\` \\|.*\\| \`${face}\` \\|$`, 'm');
      assert.match(readArchitecture(), row);
    }
  });

  test('is the one of the import table: npm run picture draws it', () => {
    assert.equal(readPicture(), drawImports(rules.importTable));
  });
});

/** All text files that git tracks, and those that it soon will. */
function readTracked(): rules.Files {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const git = spawnSync('git', args, { cwd: projectFolder, encoding: 'utf8' });
  const paths = git.stdout.split('\0').filter((path) => path && !/\.(png|ico|gz|zip)$/.test(path));
  assert.ok(paths.includes('package.json'), 'git lists the project');
  const present = paths.filter((path) => existsSync(join(projectFolder, path)));
  return new Map(present.map((path) => [path, readFileSync(join(projectFolder, path), 'utf8')]));
}
