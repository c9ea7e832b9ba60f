// From a request target to its route (contract §2, RFC 9112 §3.2).
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { findTarget, METHODS, type RouteName, toPagePath } from '../../../lib/http/router.ts';

/** What a browser makes of a redirect from this place. */
function follow(location: string, from = 'http://chat.example/x/'): URL {
  return new URL(location, from);
}

suite('a good target', () => {
  const targets: [url: string, route: RouteName, argument: string, query?: string][] = [
    ['/', 'page', 'general'],
    ['/?a=b', 'page', 'general', 'a=b'],
    ['/general', 'page', 'general'],
    ['/chat', 'page', 'chat'],
    ['/api', 'page', 'api'],
    ['/static', 'page', 'static'],
    ['/-', 'page', '-'],
    ['/a%2Fb', 'page', 'a/b'],
    ['/chat/r', 'room', 'r'],
    ['/api/chat/r', 'room', 'r'],
    ['/chat/', 'room', 'general'],
    ['/api/chat/', 'room', 'general'],
    ['/api/chat', 'room', 'general'],
    ['/chat/?since=now', 'room', 'general', 'since=now'],
    ['/chat/r?follow&since=5?x', 'room', 'r', 'follow&since=5?x'],
    ['/chat/r?', 'room', 'r', ''],
    ['/chat/chat', 'room', 'chat'],
    ['/chat/two%20words', 'room', 'two words'],
    ['/chat/a%2Fb', 'room', 'a/b'],
    ['/chat/a%2fb%3F%23%25', 'room', 'a/b?#%'],
    ['/chat/a+b', 'room', 'a+b'],
    ['/chat/a%5Cb', 'room', 'a\\b'],
    ['/chat/%D7%A9', 'room', '\u05e9'],
    ['/chat/...', 'room', '...'],
    ['/static/app.js', 'asset', 'app.js'],
    ['/static/a/b.js?v=1', 'asset', 'a/b.js', 'v=1'],
    ['/static/a%20b.js', 'asset', 'a b.js'],
    ['/-/healthy', 'healthy', ''],
    ['/-/ready?x', 'ready', '', 'x'],
    ['/-/metrics', 'metrics', ''],
    ['http://chat.example/chat/r?a=b', 'room', 'r', 'a=b'],
    ['HTTPS://user@chat.example:8080/chat/r', 'room', 'r'],
    ['http://chat.example', 'page', 'general'],
    ['http://chat.example?a=b', 'page', 'general', 'a=b'],
  ];
  for (const [url, route, argument, query = ''] of targets) {
    test(`${url} is ${route} ${argument}`, () => {
      const target = findTarget(url);
      assert.deepEqual(
        { ...target, fault: target?.fault },
        { route, argument, query, fault: undefined },
      );
      assert.deepEqual(findTarget(url), target, 'the second time as well');
    });
  }

  test('is the same with bare UTF-8 bytes, which clients send though they should not', () => {
    const bare = Buffer.from('/chat/caf\u00e9\u{1f98a}?x').toString('latin1');
    assert.equal(findTarget(bare)?.argument, 'caf\u00e9\u{1f98a}');
    assert.match(findTarget('/chat/caf\u00e9')?.fault ?? '', /UTF-8/, 'Latin-1 is none');
  });
});

suite('no target', () => {
  const urls = [
    ...['', '*', 'chat', 'chat/r', '//', '///', '//evil.example', '/a/b', '/chat/a/b', '/chat//'],
    ...['/chat//a', '/static//', '/-/', '/-/other', '/-/metrics/', '/-/healthy/x'],
    ...['/api/other/r', '/x/chat/r', 'ftp://chat.example/', 'chat.example:443'],
    ...['javascript:alert(1)', '/../chat/r', '/chat/../x/y', '/CHAT/a'],
  ];
  for (const url of urls) {
    test(`is ${JSON.stringify(url)}, or nothing but an asset that there is not`, () => {
      const target = findTarget(url);
      if (target === undefined) return;
      const { route, fault, argument } = target;
      assert.ok(
        (route === 'asset' && argument.startsWith('/')) ||
          route === 'page-redirect' ||
          fault !== undefined,
        JSON.stringify(target),
      );
      if (route === 'page-redirect') assert.equal(follow(argument).host, 'chat.example');
    });
  }

  test('is what leaves a folder: dots and slashes stay what they are in an asset’s name', () => {
    assert.equal(findTarget('/static/../server.ts')?.argument, '../server.ts');
    assert.equal(findTarget('/static/%2e%2e%2fserver.ts')?.argument, '../server.ts');
    assert.equal(findTarget('/static/%zz')?.argument, '', 'which is no file');
  });
});

suite('a slash after a room', () => {
  const redirects: Record<string, string> = {
    '/chat/r/': '/chat/r',
    '/api/chat/a%2Fb/': '/api/chat/a%2Fb',
    '/chat/\\x/': '/chat/%5Cx',
    '/r/': '/r',
    '/static/': '/static',
    '/api/': '/api',
    '/a%2Fb/': '/a%2Fb',
    '/two%20words/': '/two%20words',
    '/a\\b/': '/a%5Cb',
    '/\\evil.example/': '/%5Cevil.example',
    '/%5Cevil.example/': '/%5Cevil.example',
    '/%2Fevil.example/': '/%2Fevil.example',
    '/"><script>/': '/%22%3E%3Cscript%3E',
  };
  for (const [url, location] of Object.entries(redirects)) {
    test(`${url} leads to ${location}`, () => {
      const target = findTarget(url);
      const route = url.includes('chat/') ? 'room-redirect' : 'page-redirect';
      assert.deepEqual([target?.route, target?.argument], [route, location]);
    });
  }

  test('never leads to another host, nor breaks a header, of 20,000 kinds', () => {
    const unit = fc.constantFrom(
      '/',
      '\\',
      '%5C',
      '%2F',
      '.',
      '..',
      'evil.example',
      '@',
      ':',
      '\t',
      ';',
      '%0D%0A',
      '\u00ff',
      'a',
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 6 }), (units) => {
        const target = findTarget(`/${units.join('')}/`);
        if (target?.route !== 'page-redirect' || target.fault !== undefined) return;
        assert.match(target.argument, /^\/[\x21-\x7e]+$/);
        const { host, pathname } = follow(target.argument);
        assert.equal(host, 'chat.example');
        assert.equal(findTarget(pathname)?.route, 'page', pathname);
      }),
      { numRuns: 20_000 },
    );
  });
});

suite('the path of a room’s page', () => {
  test('leads back to it, whatever it is called', () => {
    const names = fc.string({
      unit: fc.oneof(
        fc.constantFrom('/', '\\', '.', '%', '?', '#', '+', ' ', ':'),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
      ),
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(names, (room) => {
        const onPage = findTarget(toPagePath(room));
        if (onPage?.fault !== undefined) return;
        assert.deepEqual([onPage?.route, onPage?.argument], ['page', room]);
        assert.equal(follow(toPagePath(room)).host, 'chat.example');
        assert.match(toPagePath(room), /^[\x21-\x7e]+$/);
      }),
      { numRuns: 20_000 },
    );
  });
});

test('every route takes GET, HEAD and OPTIONS, a room POST as well, its redirect everything', () => {
  for (const [route, methods] of Object.entries(METHODS)) {
    if (route === 'room-redirect') assert.equal(methods, undefined);
    else assert.equal(methods?.includes('POST'), route === 'room');
    for (const method of ['GET', 'HEAD', 'OPTIONS']) assert.ok(methods?.includes(method) ?? true);
  }
});
