// The ceiling: `node:http` with nothing behind it. Each kind does the least that its row could be
// done with; which header fields it sends is its caller's choice.
import http from 'node:http';

const { PEER_KIND = 'text', PEER_BODY_BYTES = '10240', PEER_HEADERS = '[]' } = process.env;

/** The header fields that the service sends too, so that both put the same bytes on the wire. */
const headers = JSON.parse(PEER_HEADERS);
const text = Buffer.alloc(Number(PEER_BODY_BYTES), `${'x'.repeat(63)}\n`);
const line = '[2026-01-01 00:00:00] bench: hello, this is message number one of many\n';

const KINDS = {
  text: (_, response) => {
    response.writeHead(200, headers);
    response.end(text);
  },
  unchanged: (_, response) => {
    response.writeHead(304, headers);
    response.end();
  },
  form: (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const isGood = form.get('username') && form.get('message');
      response.writeHead(isGood ? 201 : 400, headers);
      response.end(line);
    });
  },
};

const server = http.createServer(KINDS[PEER_KIND]);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`);
});
process.on('SIGINT', () => process.exit(0));
