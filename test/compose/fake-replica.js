// A replica as nginx sees one, for the suite of nginx alone: it tells what it was sent, and fails on demand.
// Runs inside the service's image: node -e "<this file>".
const http = require('node:http');

const name = require('node:os').hostname();
const counts = {};
const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://chat');
  const count = (what) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  count(`${request.method} ${url.pathname}`);
  response.setHeader('Chat-Server', name);
  const send = (status, headers, body) => {
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers });
    response.end(body);
  };
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    if (url.pathname === '/echo') {
      const { method, rawHeaders, url: target } = request;
      send(200, {}, JSON.stringify({ method, target, rawHeaders, body }));
    } else if (url.pathname.startsWith('/chat/echo')) {
      send(200, {}, request.url);
    } else if (url.pathname === '/counts') {
      send(200, {}, JSON.stringify(counts));
    } else if (url.pathname === '/die') {
      request.socket.destroy();
    } else if (url.pathname === '/full') {
      send(503, { 'retry-after': '7' }, `the disk of ${name} is full\n`);
    } else if (url.pathname === '/text') {
      send(200, { etag: '"1"' }, 'many words, again and again. '.repeat(400));
    } else if (url.pathname === '/chat/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
      response.write(`data: ${'many words, again and again. '.repeat(400)}\n\n`);
    } else if (url.pathname === '/chat/follow') {
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      response.write(`${'many words, again and again. '.repeat(400)}\n`);
      setTimeout(() => response.write('after a long silence\n'), 23_000);
    } else {
      send(request.method === 'POST' ? 201 : 200, {}, `${request.method} at ${name}\n`);
    }
  });
});
server.keepAliveTimeout = 75_000;
server.listen(8080);
process.on('SIGTERM', () => process.exit(0));
