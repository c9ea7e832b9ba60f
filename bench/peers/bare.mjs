// The ceiling: `node:http` with nothing behind it. Each route does the least that the row it stands
// beside could be done with; which header fields it sends is its caller's choice.
import http from 'node:http';

const { PEER_PORT = '0', PEER_BODY_BYTES = '10240', PEER_HEADERS = '[]' } = process.env;

/** The header fields that the service sends too, so that both put the same bytes on the wire. */
const headers = JSON.parse(PEER_HEADERS);
const body = Buffer.alloc(Number(PEER_BODY_BYTES), 'x'.repeat(63) + '\n');
const line = '[2026-01-01 00:00:00] bench: hello, this is message number one of many\n';
const etag = '"bench"';

const server = http.createServer((request, response) => {
  if (request.method === 'POST') {
    readForm(request, response);
  } else if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, ['ETag', etag, ...headers]);
    response.end();
  } else {
    response.writeHead(200, ['ETag', etag, 'Content-Length', String(body.length), ...headers]);
    response.end(body);
  }
});

/** Reads the form, as every server of forms must, and stores nothing. */
function readForm(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const isGood = form.get('username') && form.get('message');
    response.writeHead(isGood ? 201 : 400, ['Content-Length', String(line.length), ...headers]);
    response.end(line);
  });
}

server.listen(Number(PEER_PORT), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`);
});
