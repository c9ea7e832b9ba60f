// HAProxy, Caddy, Varnish, Squid and a proxy in JavaScript: at their defaults, and as tutorials have them.
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createProxyServer } from 'httpxy';
import { type Program, type RunningProxy, run, site, write } from './proxy.ts';

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

/** HAProxy. */
export const haproxy: Program = {
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

/** Caddy. */
export const caddy: Program = {
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

/** Varnish. */
export const varnish: Program = {
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

/** Squid. */
export const squid: Program = {
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
export const javascript: Program = {
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
