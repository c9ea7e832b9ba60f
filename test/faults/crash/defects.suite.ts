// The simulation can fail: each defect that is put into a copy of the built store is seen.
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { runHistory } from './history.ts';
import { type Defect, loadDefective } from './mutant.ts';
import { type Lie, takeOverTime } from './world.ts';

before(takeOverTime);

/** Runs histories until one shows a fault: first one that did when this was written. */
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
  'the sync left out': {
    file: 'store/folder/append',
    from: 'const synced = disk.fdatasync(fd);',
    to: 'const synced = Promise.resolve();',
  },
  'the sync of a new name left out': {
    file: 'store/folder/append',
    from: 'if (isNew)',
    to: 'if (false)',
  },
  'the sync of a new folder left out': {
    file: 'disk/durability',
    from: 'await syncFolder(parent, disk, () => undefined);',
    to: '',
  },
  'a failed write not cut back': {
    file: 'store/folder/append',
    from: 'await cutBack(fd, committedBytes, written, lock, options);',
    to: '',
  },
  'the base not published': {
    file: 'store/folder/append',
    from: 'lock.publish(committedBytes);',
    to: '',
  },
  'the gap after a stump left out': {
    file: 'store/folder/append',
    from: "? '' : '\\n'",
    to: "? '' : ''",
  },
  'the lock not looked at': {
    file: 'lock/lock-inodes',
    from: 'return false;\n        }\n        // Where the folder',
    to: 'return true;\n        }\n        // Where the folder',
  },
  'a lock removed without judging its owner': {
    file: 'lock/stale-lock',
    from: 'beforeMs - this.#sinceMs >= STALE_MS',
    to: 'true',
  },
  'what a dead writer left not synced': {
    file: 'disk/durability',
    from: 'try {\n        await disk.fdatasync(fd);\n    }',
    to: 'try {\n    }',
  },
  "a dead writer's new name not synced": {
    file: 'store/folder/folder-store',
    from: 'await syncFolder(this.#folder, this.#disk, this.#append.onUnsyncable);',
    to: '',
  },
  'a lock that power loss brought back believed': {
    file: 'store/folder/inherited',
    from: '=== holder.identity)',
    to: '=== 0)',
  },
  'a look that failed taken for no lock': {
    file: 'lock/lock',
    from: 'const stat = this.#disk.statSync(file, NO_THROW);\n        return stat === undefined ?',
    to: 'const stat = this.#disk.existsSync(file);\n        return !stat ?',
  },
  'a failing close refusing what is stored': {
    file: 'store/folder/open-files',
    from: 'has said before.\n        tryClose(fd, this.#disk);',
    to: 'has said before.\n        this.#disk.closeSync(fd);',
  },
  'a lock kept that could not be looked at': {
    file: 'lock/held-lock',
    from: '!isRemoved && !this.#tryEmpty()',
    to: '!isRemoved && false',
  },
  'a message acknowledged that its own lock still hides': {
    file: 'lock/held-lock',
    from: 'if (tries === MAX_RETRIES)',
    to: 'if (true)',
  },
  'a batch on disk given up because a look at it failed': {
    file: 'store/folder/append',
    from: 'if (tries === MAX_LOOKS)',
    to: 'if (true)',
  },
  'a short write taken for a whole one': {
    file: 'store/folder/append',
    from: 'if (written < bytes.length)',
    to: 'if (false)',
  },
};

const hints: Record<string, number> = {
  'what a dead writer left not synced': 570,
  'a lock removed without judging its owner': 35,
  "a dead writer's new name not synced": 565,
  'a lock that power loss brought back believed': 30,
  'the lock not looked at': 37,
  'a look that failed taken for no lock': 61,
  'a failing close refusing what is stored': 32,
  'a lock kept that could not be looked at': 23,
  'a short write taken for a whole one': 55,
  'a batch on disk given up because a look at it failed': 119,
  'a message acknowledged that its own lock still hides': 211,
};

suite('a store with a defect is seen', () => {
  for (const [sentence, defect] of Object.entries(defects)) {
    test(sentence, async () => {
      assert.notEqual(await findFault({ defect }, hints[sentence]), undefined);
    });
  }
});
