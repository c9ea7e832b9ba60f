// The clients handed out with this exercise, by what they send: a poll every 1.5 s that stops for
// good at the first failure, and jQuery's form posts, whose answer nobody looks at.
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { suite, test } from 'node:test';
import { type Answer, ask, get, postBody } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';

const jquery = {
  accept: '*/*',
  'accept-encoding': 'gzip, deflate, br',
  'accept-language': 'he-IL,he;q=0.9,en;q=0.8',
  'x-requested-with': 'XMLHttpRequest',
};

/** The room of an address, as that client takes it: what follows the last slash, as it stands. */
function toRoom(address: string): string {
  return address.slice(address.lastIndexOf('/') + 1) || 'general';
}

function poll(server: Server, room: string, agent?: Agent): Promise<Answer> {
  const headers = { ...jquery, referer: `${server.url}/${room}`, 'sec-fetch-site': 'same-origin' };
  return ask(server, { path: `/api/chat/${room}`, headers, ...(agent && { agent }) });
}

/** What `$.post('/api/chat/' + room, $('form').serialize())` sends. */
function send(server: Server, room: string, username: string, msg: string): Promise<Answer> {
  const serialize = (text: string) =>
    encodeURIComponent(text.replace(/\r?\n/g, '\r\n')).replace(/%20/g, '+');
  return postBody(
    server,
    `/api/chat/${room}`,
    `username=${serialize(username)}&msg=${serialize(msg)}`,
    {
      ...jquery,
      'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
      origin: server.url,
      referer: `${server.url}/${room}`,
      'sec-fetch-site': 'same-origin',
      'sec-fetch-mode': 'cors',
    },
  );
}

suite('the handed-out client', () => {
  const addresses: Record<string, string> = {
    '/': 'general',
    '/general': 'general',
    '/MyRoom': 'MyRoom',
    '/%D7%97%D7%93%D7%A8': '%D7%97%D7%93%D7%A8',
    '/a%20b%2Fc': 'a%20b%2Fc',
  };
  for (const [address, room] of Object.entries(addresses)) {
    test(`at ${address} finds its page, posts, and reads its line`, async () => {
      const server = await startServer();
      assert.equal(toRoom(address), room);
      const page = await get(server, address, { accept: 'text/html,*/*;q=0.8' });
      assert.equal(page.status, 200);
      assert.match(page.headers['content-type'] ?? '', /^text\/html/);
      assert.equal(page.headers['content-security-policy'], undefined, 'theirs loads jQuery');
      const empty = await poll(server, room);
      assert.equal(empty.status, 200, 'an empty room does not freeze it');
      assert.equal(empty.text, '');
      const posted = await send(server, room, 'עמרי בן', "what's 100% + 1 & more?\nשלום");
      assert.equal(posted.status, 201, posted.text);
      const { status, text, headers } = await poll(server, room);
      assert.equal(status, 200);
      assert.match(text, /^\[.{19}\] עמרי בן: what's 100% \+ 1 & more\?↵שלום\n$/);
      assert.match(
        headers['content-type'] ?? '',
        /^text\/plain/,
        'jQuery must not run or parse it',
      );
      await server.stop();
    });
  }

  test('never gets a poll that fails while others write, edit and refuse', async () => {
    const store = makeTempFolder('rooms');
    const servers = await Promise.all([startServer({ store }), startServer({ store })]);
    const agent = new Agent({ keepAlive: true });
    let isTalking = true;
    const talk = (async () => {
      for (let n = 0; n < 200; n += 1) {
        const server = servers[n % 2]!;
        const [said, refused] = [send(server, 'busy', 'a', `${n}`), send(server, 'busy', '', '')];
        assert.equal((await said).status, 201);
        assert.equal((await refused).status, 400);
      }
      isTalking = false;
    })();
    let last = '';
    let polls = 0;
    while (isTalking) {
      const { status, text } = await poll(servers[polls % 2]!, 'busy', agent);
      assert.equal(status, 200);
      assert.ok(text.startsWith(last), 'the room only grows, on whichever replica');
      last = text;
      polls += 1;
    }
    await talk;
    assert.equal((await poll(servers[0]!, 'busy')).text.split('\n').length, 201);
    assert.ok(polls > 20, `${polls} polls`);
    agent.destroy();
    await Promise.all(servers.map((server) => server.stop()));
  });

  test('is answered 304 to what a browser’s cache adds to a poll', async () => {
    const server = await startServer();
    await send(server, 'cache', 'a', 'm');
    const { headers } = await poll(server, 'cache');
    const conditional = { ...jquery, 'if-none-match': headers.etag, 'cache-control': 'max-age=0' };
    const again = await get(server, '/api/chat/cache', conditional);
    assert.equal(again.status, 304);
    await send(server, 'cache', 'a', 'n');
    const changed = await get(server, '/api/chat/cache', conditional);
    assert.equal(changed.status, 200);
    assert.match(changed.text, /a: n\n$/);
    await server.stop();
  });
});
