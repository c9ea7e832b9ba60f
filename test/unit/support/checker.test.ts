// The checker of histories must find each kind of fault, and none in a correct history.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findViolations, type History, type Sent } from '../../support/checker.ts';

const time = '[2018-02-25 14:00:51] ';

function makeSent(client: string, message: string, atMs: number): Sent {
  const line = `${time}${client}: ${message}\n`;
  const answered = { answeredAtMs: atMs + 5, line };
  return { client, room: 'general', username: client, message, sentAtMs: atMs, ...answered };
}

function makeHistory(change: (history: History) => void = () => {}): History {
  const sent = [makeSent('ann', 'a1', 0), makeSent('ben', 'b1', 2), makeSent('ann', 'a2', 10)];
  const text = sent.map((one) => one.line).join('');
  const seen = [{ room: 'general', beganAtMs: 8, text: sent[0]!.line! + sent[1]!.line! }];
  const history: History = { sent, seen, rooms: new Map([['general', text]]) };
  change(history);
  return history;
}

function editRoom(edit: (text: string) => string): (history: History) => void {
  return ({ rooms }) => void rooms.set('general', edit(rooms.get('general')!));
}

test('a correct history has no violation', () => {
  assert.deepEqual(findViolations(makeHistory()), []);
});

const faults: Record<string, [change: (history: History) => void, words: RegExp]> = {
  'a lost line is found': [editRoom((text) => text.replace(/.*a2\n/, '')), /a2.* lost/],
  'a doubled line is found': [editRoom((text) => `${text}${text.split('\n')[0]}\n`), /2 times/],
  'two merged lines are found': [editRoom((text) => text.replace('\n', '')), /nobody sent/],
  'half a line at the end is found': [editRoom((text) => text.slice(0, -1)), /half a line/],
  'a line that nobody sent is found': [editRoom((text) => `${text}${time}eve: x\n`), /nobody sent/],
  'a line under another name is found': [
    editRoom((text) => text.replace('ben: b1', 'eve: b1')),
    /nobody sent/,
  ],
  'a line that differs from its receipt is found': [
    editRoom((text) => text.replace('14:00:51', '14:00:52')),
    /but answered/,
  ],
  'lines of one client in the wrong order are found': [
    editRoom((text) =>
      text
        .split(/(?<=\n)/)
        .reverse()
        .join(''),
    ),
    /other way round/,
  ],
  'a refused message that is stored is found': [
    ({ sent }) => {
      sent[2] = { ...sent[2]!, isRefused: true };
      delete sent[2].line;
    },
    /refused and yet stored/,
  ],
  'a stale read is found': [
    ({ seen }) => {
      seen[0]!.text = seen[0]!.text.replace(/.*b1\n/, '');
    },
    /misses "b1"/,
  ],
  'a read in another order is found': [
    ({ seen }) => {
      seen[0]!.text = seen[0]!.text
        .split(/(?<=\n)/)
        .reverse()
        .join('');
    },
    /no beginning/,
  ],
};

for (const [sentence, [change, words]] of Object.entries(faults)) {
  test(sentence, () => {
    assert.match(findViolations(makeHistory(change)).join('\n'), words);
  });
}

test('a message without an answer may be stored once or not at all', () => {
  const forget = ({ sent }: History) => {
    delete sent[2]!.line;
    delete sent[2]!.answeredAtMs;
  };
  const lose = editRoom((text) => text.replace(/.*a2\n/, ''));
  assert.deepEqual(findViolations(makeHistory(forget)), []);
  assert.deepEqual(
    findViolations(
      makeHistory((history) => {
        forget(history);
        lose(history);
      }),
    ),
    [],
  );
});

test('a stump is accepted only of a message without an answer, and only if allowed', () => {
  const stump = (allowStumps: boolean, isAnswered: boolean) =>
    makeHistory((history) => {
      history.allowStumps = allowStumps;
      if (!isAnswered) {
        delete history.sent[2]!.line;
        delete history.sent[2]!.answeredAtMs;
      }
      editRoom((text) => text.replace('ann: a2', 'ann: a'))(history);
    });
  assert.deepEqual(findViolations(stump(true, false)), []);
  assert.notDeepEqual(findViolations(stump(false, false)), []);
  assert.notDeepEqual(findViolations(stump(true, true)), []);
});
