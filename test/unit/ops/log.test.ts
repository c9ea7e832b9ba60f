// The log: one line an event (contract §8).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { LOG_LEVELS, Log, type LogFields, type LogLevel } from '../../../lib/ops/log.ts';

function logOne(text: string, fields?: LogFields): string {
  const lines: string[] = [];
  new Log('debug', (line) => lines.push(line)).info(text, fields);
  assert.equal(lines.length, 1);
  return lines[0]!;
}

suite('a line', () => {
  test('has the time, the level, the text and the fields', () => {
    assert.match(
      logOne('stored', { count: 3, isDone: true, room: 'a b' }),
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info stored count=3 isDone=true room="a b"\n$/,
    );
  });

  test('stays one line without a bare control, whatever a field says', () => {
    const nasty = 'a\n2018 error forged\r\u001b[2J\u007f\u009b1m\u2028\u2029"\\\0';
    const line = logOne('stored', { room: nasty, error: new Error(nasty) });
    assert.equal(line.indexOf('\n'), line.length - 1);
    assert.doesNotMatch(line.slice(0, -1), /[\0-\x1f\x7f-\x9f\u2028\u2029]/);
    assert.equal(JSON.parse(/room=("(?:[^"\\]|\\.)*")/.exec(line)?.[1] ?? ''), nasty);
  });

  test('shows an error with its stack and its cause', () => {
    const cause = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    const line = logOne('failed', { error: new TypeError('broken', { cause }) });
    assert.match(line, /TypeError: broken/);
    assert.match(line, /log\.test/);
    assert.match(line, /\(ENOSPC: no space left\)/);
  });

  test('shows what is no text', () => {
    const line = logOne('odd', { nothing: undefined, none: null, not: Number.NaN, list: [1, 2] });
    assert.match(line, / nothing="undefined" none="null" not=NaN list="1,2"\n$/);
  });
});

suite('a level', () => {
  for (const [index, least] of LOG_LEVELS.entries()) {
    test(`${least} writes ${LOG_LEVELS.slice(index).join(', ')}`, () => {
      const lines: string[] = [];
      const log = new Log(least, (line) => lines.push(line));
      for (const level of LOG_LEVELS) log[level]('text');
      const seen = lines.map((line) => line.split(' ')[1]);
      assert.deepEqual(seen, LOG_LEVELS.slice(index));
      assert.deepEqual(
        LOG_LEVELS.filter((level: LogLevel) => log.has(level)),
        seen,
      );
    });
  }
});

test('lines go to standard output, and a reader that goes away harms nobody', () => {
  const module = JSON.stringify(new URL('../../../lib/ops/log.js', import.meta.url).href);
  const script = `const { Log, ignoreClosedOutput, writeError } = await import(${module});
    ignoreClosedOutput();
    const log = new Log('info');
    for (let n = 0; n < 200; n += 1) { log.info('line '.repeat(100)); await new Promise(setImmediate); }
    writeError('survived\\n');`;
  const command = '"$0" --input-type=module -e "$1" | head -c 10 >/dev/null';
  const args = ['-c', `${command}; exit 0`, process.execPath, script];
  const { stderr } = spawnSync('sh', args, { encoding: 'utf8' });
  assert.equal(stderr, 'survived\n');
});
