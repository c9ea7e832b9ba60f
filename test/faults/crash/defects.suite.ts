// The simulation can fail: each defect that is put into a copy of the built store is seen.
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { runHistory } from './history.ts';
import { type Defect, loadDefective } from './mutant.ts';
import { type Lie, takeOverTime } from './world.ts';

before(takeOverTime);

/** Runs histories until one shows a fault, beginning with one that did when this was written. */
async function findFault(
  options: { lies?: Lie[]; defect?: Defect },
  hint = 1,
): Promise<string | undefined> {
  const Store = options.defect && (await loadDefective(options.defect));
  for (let count = 0; count < 1500; count += 1) {
    const seed = hint + count;
    const { faults } = await runHistory({
      seed,
      lies: options.lies ?? [],
      ...(Store ? { Store } : {}),
    });
    if (faults.length > 0) return faults[0];
  }
  return undefined;
}

suite('a disk that does not keep its promises is seen', () => {
  const lies: Lie[] = ['no-data-sync', 'no-folder-sync', 'no-exclusive-create', 'no-truncate'];
  for (const lie of lies) {
    test(lie, async () => {
      assert.notEqual(await findFault({ lies: [lie] }), undefined);
    });
  }
});

/** What the store did once, or might do one day. */
const defects: Record<string, Defect> = {
  'the file is not synced': {
    file: 'store/folder/append',
    from: 'await options.disk.fdatasync(fd);',
    to: '',
  },
  "a new room's name is not synced": {
    file: 'store/folder/append',
    from: 'if (isNew)',
    to: 'if (false)',
  },
  "a new folder's name is not synced": {
    file: 'disk/durability',
    from: 'await syncFolder(parent, disk, () => undefined);',
    to: '',
  },
  'a failed write is not truncated': {
    file: 'store/folder/append',
    from: 'await truncate(fd, state.size, writtenBytes, lock, options);',
    to: '',
  },
  'the committed offset is not published': {
    file: 'store/folder/append',
    from: 'lock.publish(state.size);',
    to: '',
  },
  'a message goes on in the line of a stump': {
    file: 'store/folder/append',
    from: "? '' : '\\n'",
    to: "? '' : ''",
  },
  'a lock that is held is acquired': {
    file: 'lock/lock-inodes',
    from: 'return false;\n        }\n        // Where the folder',
    to: 'return true;\n        }\n        // Where the folder',
  },
  'a lock is broken at once': {
    file: 'lock/stale-lock',
    from: 'beforeMs - this.#sinceMs >= STALE_MS',
    to: 'true',
  },
  "what a stale lock's owner wrote is not synced": {
    file: 'disk/durability',
    from: 'try {\n        await disk.fdatasync(fd);\n    }',
    to: 'try {\n    }',
  },
  "the name of a stale lock's room is not synced": {
    file: 'store/folder/folder-store',
    from: 'await this.#folder.syncRoomNames();',
    to: '',
  },
  'a lock that a power loss brought back is believed': {
    file: 'store/folder/recovery',
    from: 'await this.#locks.recover();',
    to: '',
  },
  'a read does not wait for recovery': {
    file: 'store/folder/recovery',
    from: 'await this.done;',
    to: 'return;',
  },
  'a lock that failed to be read is taken for none': {
    file: 'lock/lock',
    from: 'const stat = this.#disk.statSync(file, NO_THROW);\n        return stat === undefined ?',
    to: 'const stat = this.#disk.existsSync(file);\n        return !stat ?',
  },
  'a close that fails refuses what is stored': {
    file: 'store/folder/append',
    from: 'tryClose(room.fd, options.disk);',
    to: 'options.disk.closeSync(room.fd);',
  },
  'a lock that could not be removed keeps its text': {
    file: 'lock/held-lock',
    from: '!isRemoved && !this.#tryEmpty()',
    to: '!isRemoved && false',
  },
  'a message is acknowledged that its own lock still hides': {
    file: 'lock/held-lock',
    from: 'if (tries === MAX_RETRIES)',
    to: 'if (true)',
  },
  'a batch on disk is given up because its check failed': {
    file: 'store/folder/append',
    from: 'if (retries === MAX_RETRIES)',
    to: 'if (true)',
  },
  'a short write is taken for a whole one': {
    file: 'store/folder/append',
    from: 'if (writtenBytes < bytes.length)',
    to: 'if (false)',
  },
};

/** The first seed that showed a defect when this was written; others show on their first seeds. */
const hints: Record<string, number> = {
  'a lock that is held is acquired': 31,
  "the name of a stale lock's room is not synced": 136,
  'a lock that a power loss brought back is believed': 29,
  'a read does not wait for recovery': 29,
  'a lock that failed to be read is taken for none': 119,
  'a lock that could not be removed keeps its text': 92,
  'a message is acknowledged that its own lock still hides': 969,
};

suite('a store with a defect is seen', () => {
  for (const [sentence, defect] of Object.entries(defects)) {
    test(sentence, async () => {
      assert.notEqual(await findFault({ defect }, hints[sentence]), undefined);
    });
  }
});
