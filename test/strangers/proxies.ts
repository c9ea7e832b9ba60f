// Proxies as strangers set them up, each configuration in as few lines as people write; and those of
// docs/proxies.md as they stand there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../support/paths.ts';
import { caddy, haproxy, javascript, squid, varnish } from './balancers.ts';
import { site } from './proxy.ts';
import { apache, nginx } from './web-servers.ts';

/** All programs. */
export const programs = [nginx, apache, haproxy, caddy, varnish, squid, javascript];

const proxiesPage = readFileSync(join(projectFolder, 'docs', 'proxies.md'), 'utf8');

/** Takes a block of code out of docs/proxies.md. */
export function findBlock(language: string): string {
  const [, block] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(proxiesPage) ?? [];
  if (block === undefined) throw new Error(`docs/proxies.md has no block of ${language}`);
  return block;
}

for (const program of [nginx, apache, haproxy, caddy]) {
  const text = findBlock(program.name.toLowerCase())
    .replace('listen 80', 'listen 127.0.0.1:PORT')
    .replace('<VirtualHost *:80', 'Listen 127.0.0.1:PORT\n<VirtualHost 127.0.0.1:PORT')
    .replace('bind :80', 'bind 127.0.0.1:PORT')
    .replace('http://chat.example', 'http://chat.example:PORT')
    .replace('127.0.0.1:8080', '127.0.0.1:UPSTREAM')
    .replaceAll('chat.example', site);
  program.recipes.push({ name: 'as docs/proxies.md has it', text, hidesOperators: true });
}
