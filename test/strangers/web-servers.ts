// nginx and Apache as proxies: at their defaults, and as tutorials have them.
import { type Program, run, site, write } from './proxy.ts';

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

/** nginx. */
export const nginx: Program = {
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

/** Apache. */
export const apache: Program = {
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
