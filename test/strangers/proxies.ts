// Proxies as strangers set them up: each configuration in as few lines as people write, all of one program
// in one process of it, each on a port of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createProxyServer, type ProxyServerOptions } from 'httpxy';
import { get } from '../support/http.ts';
import type { need } from '../support/need.ts';
import { makeTempFolder, projectFolder } from '../support/paths.ts';
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
function run(command: string, args: string[], cwd: string, env = process.env): ChildProcess {
  return spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
}

function write(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const forwarded = `
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;`;

/** In a server block of its own. */
function nginxServer(location: string, more = ''): string {
  return `server {
    listen 127.0.0.1:PORT;
    ${more}
    location / {
      ${location}
    }
  }`;
}

const nginx: Program = {
  name: 'nginx',
  needs: ['nginx'],
  recipes: [
    {
      name: 'proxy_pass alone',
      text: nginxServer('proxy_pass http://127.0.0.1:UPSTREAM;'),
      hides: '127.0.0.1:UPSTREAM',
    },
    {
      name: 'proxy_pass and X-Forwarded-Host',
      text: nginxServer(`proxy_pass http://127.0.0.1:UPSTREAM;
      proxy_set_header X-Forwarded-Host $http_host;`),
    },
    {
      name: 'WebSockets, by a map',
      text: `map $http_upgrade $connection_PORT {
    default upgrade;
    '' close;
  }
  ${nginxServer(`proxy_pass http://127.0.0.1:UPSTREAM;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_PORT;
      proxy_set_header Host $host;
      proxy_read_timeout 3600s;
      proxy_send_timeout 3600s;${forwarded}`)}`,
    },
    {
      name: 'WebSockets, each request upgraded',
      text: nginxServer(`proxy_pass http://localhost:UPSTREAM;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection 'upgrade';
      proxy_set_header Host $host;
      proxy_cache_bypass $http_upgrade;`),
    },
    {
      name: 'server-sent events',
      text: nginxServer(`proxy_pass http://127.0.0.1:UPSTREAM;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_buffering off;
      proxy_cache off;
      chunked_transfer_encoding off;`),
      hides: '127.0.0.1:UPSTREAM',
    },
    {
      name: 'kept connections',
      text: `upstream app_PORT {
    server 127.0.0.1:UPSTREAM;
    keepalive 64;
  }
  ${nginxServer(`proxy_pass http://app_PORT;
      proxy_http_version 1.1;
      proxy_set_header Connection "";`)}`,
      hides: 'app_PORT',
    },
    {
      name: 'kept connections and the Host',
      text: `upstream kept_PORT {
    server 127.0.0.1:UPSTREAM max_fails=3 fail_timeout=30s;
    keepalive 16;
  }
  ${nginxServer(`proxy_pass http://kept_PORT;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_redirect off;`)}`,
    },
    {
      name: 'gzip',
      text: nginxServer(
        `proxy_pass http://127.0.0.1:UPSTREAM;
      proxy_set_header Host $http_host;${forwarded}`,
        `gzip on;
    gzip_proxied any;
    gzip_min_length 1;
    gzip_types text/plain text/css application/json text/javascript application/javascript;`,
      ),
    },
    {
      name: 'a name of its own',
      text: nginxServer(
        `proxy_pass http://127.0.0.1:UPSTREAM;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-Host $host;${forwarded}`,
        `server_name ${site} www.${site};
    client_max_body_size 10m;`,
      ),
    },
    {
      name: 'a cache',
      isCache: true,
      text: `proxy_cache_path cache_PORT keys_zone=micro_PORT:1m;
  ${nginxServer(`proxy_pass http://127.0.0.1:UPSTREAM;
      proxy_set_header Host $host;
      proxy_cache micro_PORT;
      proxy_cache_valid 200 1s;
      proxy_cache_use_stale updating error timeout;
      proxy_cache_lock on;`)}`,
    },
  ],
  start(recipes, _, folder) {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const paths = temporary.map((name) => `${name}_temp_path ${name}_temp;`);
    const text = `daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  ${paths.join('\n  ')}
  ${recipes.map((recipe) => recipe.text).join('\n  ')}
}
`;
    const path = write(folder, 'nginx.conf', text);
    const args = ['-p', folder, '-e', 'stderr', '-c', path];
    return { children: [run('nginx', args, folder)] };
  },
};

/** In a virtual host of its own. */
function apacheHost(text: string): string {
  return `Listen 127.0.0.1:PORT
<VirtualHost 127.0.0.1:PORT>
${text}
</VirtualHost>`;
}

const apachePass = `ProxyPass / http://127.0.0.1:UPSTREAM/
ProxyPassReverse / http://127.0.0.1:UPSTREAM/`;

const apache: Program = {
  name: 'Apache',
  needs: ['apache2'],
  recipes: [
    { name: 'ProxyPass alone', text: apacheHost(apachePass), breaksSlashes: true },
    {
      name: 'ProxyPreserveHost',
      text: apacheHost(`ServerName ${site}
ProxyRequests Off
ProxyPreserveHost On
${apachePass}
RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}`),
      breaksSlashes: true,
    },
    {
      name: 'HTTP/1.0 without kept connections',
      text: apacheHost(`SetEnv force-proxy-request-1.0 1
SetEnv proxy-nokeepalive 1
${apachePass}`),
      breaksSlashes: true,
    },
    {
      name: 'HTTP/2',
      text: apacheHost(`Protocols h2c http/1.1
ProxyPreserveHost On
${apachePass}`),
      breaksSlashes: true,
    },
    {
      name: 'rewriting',
      text: apacheHost(`RewriteEngine On
RewriteCond %{HTTP:Upgrade} =websocket [NC]
RewriteRule ^/?(.*) ws://127.0.0.1:UPSTREAM/$1 [P,L]
RewriteRule ^/?(.*) http://127.0.0.1:UPSTREAM/$1 [P,L]
ProxyPassReverse / http://127.0.0.1:UPSTREAM/`),
      breaksSlashes: true,
    },
    {
      name: 'slashes in names',
      text: apacheHost(`AllowEncodedSlashes NoDecode
ProxyPass / http://127.0.0.1:UPSTREAM/ nocanon
ProxyPreserveHost On`),
    },
    {
      name: 'compression',
      text: apacheHost(`AddOutputFilterByType DEFLATE text/html text/plain text/css text/javascript
${apachePass}`),
      breaksSlashes: true,
      renamesCompressed: true,
    },
    {
      name: 'no fields of its own',
      text: apacheHost(`ProxyAddHeaders Off
${apachePass}`),
      breaksSlashes: true,
      hides: '127.0.0.1:UPSTREAM',
    },
  ],
  start(recipes, _, folder) {
    const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'headers', 'rewrite'];
    modules.push('http2', 'deflate', 'filter', 'env', 'setenvif', 'proxy_wstunnel');
    const load = modules.map(
      (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
    );
    const isRoot = process.getuid?.() === 0;
    const text = `ServerRoot ${folder}
ServerName localhost
PidFile ${folder}/apache.pid
DefaultRuntimeDir ${folder}
# Each open stream takes a thread, and a process that has none to spare closes kept connections.
StartServers 1
ThreadLimit 200
ThreadsPerChild 200
MaxRequestWorkers 200
ErrorLog ${folder}/error.log
${load.join('\n')}
${isRoot ? 'User www-data\nGroup www-data' : ''}
${recipes.map((recipe) => recipe.text).join('\n')}
`;
    const path = write(folder, 'apache.conf', text);
    return { children: [run('apache2', ['-D', 'FOREGROUND', '-f', path], folder)] };
  },
};

/** A front and a back. */
function haproxyPair(front = '', back = ''): string {
  return `frontend front_PORT
  bind 127.0.0.1:PORT
  default_backend back_PORT
${front}
backend back_PORT
  server chat 127.0.0.1:UPSTREAM
${back}`;
}

const haproxy: Program = {
  name: 'HAProxy',
  needs: ['haproxy'],
  recipes: [
    { name: 'mode http alone', text: haproxyPair() },
    {
      name: 'forwardfor',
      text: haproxyPair('  option forwardfor\n  http-request set-header X-Forwarded-Proto http'),
    },
    { name: 'http-server-close', text: haproxyPair('  option http-server-close') },
    { name: 'httpclose', text: haproxyPair('  option httpclose\n  option forwardfor') },
    {
      name: 'shared connections',
      text: haproxyPair('', '  http-reuse always\n  option redispatch'),
    },
    {
      name: 'compression',
      text: haproxyPair('', '  compression algo gzip\n  compression type text/plain text/html'),
    },
  ],
  start(recipes, _, folder) {
    const text = `defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
${recipes.map((recipe) => recipe.text).join('\n')}
`;
    const path = write(folder, 'haproxy.cfg', text);
    return { children: [run('haproxy', ['-db', '-f', path], folder)] };
  },
};

const caddy: Program = {
  name: 'Caddy',
  needs: ['caddy'],
  recipes: [
    { name: 'caddy reverse-proxy', text: '' },
    { name: 'reverse_proxy alone', text: 'http://:PORT {\n  reverse_proxy 127.0.0.1:UPSTREAM\n}' },
    {
      name: 'the upstream’s Host',
      text: `http://:PORT {
  reverse_proxy 127.0.0.1:UPSTREAM {
    header_up Host {upstream_hostport}
  }
}`,
    },
    {
      name: 'compression',
      text: `http://:PORT {
  encode zstd gzip
  reverse_proxy 127.0.0.1:UPSTREAM {
    header_up X-Real-IP {remote_host}
    flush_interval -1
  }
}`,
    },
  ],
  start(recipes, upstream, folder) {
    const env = { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder };
    const global = '{\n  admin off\n  auto_https off\n}\n';
    const sites = recipes.filter(({ text }) => text !== '');
    const path = write(folder, 'Caddyfile', global + sites.map(({ text }) => text).join('\n'));
    const toCommand = ({ port }: RunningProxy): string[] => {
      const from = ['reverse-proxy', '--from', `http://:${port}`];
      return [...from, '--to', `127.0.0.1:${upstream}`];
    };
    const commands = recipes.filter(({ text }) => text === '').map(toCommand);
    if (sites.length > 0) commands.push(['run', '--adapter', 'caddyfile', '--config', path]);
    return { children: commands.map((args) => run('caddy', args, folder, env)) };
  },
};

const varnish: Program = {
  name: 'Varnish',
  needs: ['varnish'],
  recipes: [
    { name: 'a back end alone', text: '' },
    {
      name: 'streams in a pipe',
      text: `vcl 4.1;
backend default {
  .host = "127.0.0.1";
  .port = "UPSTREAM";
}
sub vcl_recv {
  if (req.http.Accept ~ "text/event-stream") {
    return (pipe);
  }
  if (req.method != "GET" && req.method != "HEAD") {
    return (pass);
  }
}
sub vcl_backend_response {
  set beresp.grace = 1h;
}
`,
    },
  ],
  start(recipes, upstream, folder) {
    const start = ({ port, text }: RunningProxy, index: number): ChildProcess => {
      const args = [
        '-F',
        '-n',
        join(folder, `${index}`),
        '-a',
        `127.0.0.1:${port}`,
        '-s',
        'malloc,16m',
      ];
      args.push('-j', 'none');
      if (text === '') args.push('-b', `127.0.0.1:${upstream}`);
      else args.push('-f', write(folder, `${index}.vcl`, text));
      return run('varnishd', args, folder);
    };
    return { children: recipes.map(start) };
  },
};

const squid: Program = {
  name: 'Squid',
  needs: ['squid'],
  recipes: [
    {
      name: 'accel by the Host',
      isCache: true,
      text: `http_port 127.0.0.1:PORT accel vhost
cache_peer 127.0.0.1 parent UPSTREAM 0 no-query originserver name=chat`,
    },
    {
      name: 'accel with one site',
      isCache: true,
      text: `http_port 127.0.0.1:PORT accel defaultsite=${site} no-vhost
cache_peer 127.0.0.1 parent UPSTREAM 0 no-query originserver name=chat`,
    },
  ],
  start(recipes, _, folder) {
    const start = ({ port, text }: RunningProxy): ChildProcess => {
      const path = write(
        folder,
        `squid-${port}.conf`,
        `${text}
http_access allow all
pid_filename none
cache_log ${folder}/cache.log
access_log none
coredump_dir ${folder}
visible_hostname proxy
shutdown_lifetime 0 seconds
`,
      );
      return run('squid', ['-N', '-f', path], folder);
    };
    return { children: recipes.map(start) };
  },
};

/** The engine of `http-proxy-middleware`, which most development servers use. */
const javascript: Program = {
  name: 'httpxy',
  needs: [],
  recipes: [
    { name: 'target alone', text: '', options: {} },
    {
      name: 'changeOrigin',
      text: '',
      options: { changeOrigin: true },
      hides: '127.0.0.1:UPSTREAM',
    },
    { name: 'changeOrigin and xfwd', text: '', options: { changeOrigin: true, xfwd: true } },
  ],
  start(recipes, upstream) {
    const servers = recipes.map(({ port, options }) => {
      const proxy = createProxyServer({ ...options, target: `http://127.0.0.1:${upstream}` });
      const server = createServer((request, response) => {
        proxy.web(request, response).catch(() => response.destroy());
      });
      return server.listen(port, '127.0.0.1');
    });
    const stop = () => {
      for (const server of servers) server.close().closeAllConnections();
    };
    return { children: [], stop };
  },
};

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
