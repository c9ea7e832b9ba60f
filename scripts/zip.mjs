// npm run zip: makes chat.zip, whose one folder chat/ serves wherever it is unzipped. The same commit
// gives the same bytes: sorted names, one fixed time, a compressor written in JavaScript.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { fail, installPackages, isMain, listFiles, root } from './lib.mjs';

// DOS times have no zone, so the same wall clock gives the same bytes everywhere.
const packedAt = new Date(1980, 0, 2, 12, 0, 0);
const plainFile = 0o100644 * 65_536;

// What an operator needs. Tests and benchmarks stay in the repository.
const wanted = [
  /^(server\.ts|package\.json|package-lock\.json|tsconfig\.json|\.npmrc)$/,
  /^(README|CHANGELOG)\.md$|^LICENSE$/,
  /^(Dockerfile|\.dockerignore|compose[^/]*\.yaml|nginx\.conf|\.env\.example)$/,
  /^(lib|static|docs|deploy)\//,
  /^rooms\/\.gitkeep$/,
  /^scripts\/(start|build|lib)\.mjs$/,
];

/**
 * Writes the archive.
 *
 * @returns its size in bytes
 */
export async function zip(target = join(root, 'chat.zip')) {
  installPackages();
  build();
  const { zipSync } = await import('fflate');
  const entries = {};
  for (const path of [...listTracked(), ...listFiles('dist')].sort()) {
    entries[`chat/${path}`] = readFileSync(join(root, path));
  }
  const archive = zipSync(entries, { level: 9, mtime: packedAt, os: 3, attrs: plainFile });
  writeFileSync(target, archive);
  return archive.length;
}

function listTracked() {
  const git = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
  if (git.status !== 0) fail('npm run zip needs the git repository: it packs tracked files only.');
  const tracked = git.stdout.split('\0').filter(Boolean);
  return tracked.filter((path) => wanted.some((pattern) => pattern.test(path)));
}

if (isMain(import.meta.url)) {
  const target = process.argv[2] ?? join(root, 'chat.zip');
  const sizeBytes = await zip(target);
  console.log(`${target}: ${sizeBytes} bytes`);
}
