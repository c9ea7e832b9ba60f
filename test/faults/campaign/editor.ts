// A person who edits a room's file while replicas serve it: appends to it, replaces it, deletes it,
// empties it. A message that is posted at the same time may be lost, as with any editor. Nothing else
// may happen.
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toFileStem } from '../../../lib/room/name.ts';
import { ask } from '../../support/http.ts';
import { pause, type Server } from '../../support/server.ts';

/** Edits one room by hand and posts to it in between. */
export class Editor {
  readonly #room: string;
  readonly #file: string;
  readonly #pick: () => Server;
  readonly #faults: string[] = [];
  #count = 0;

  constructor(folder: string, room: string, pick: () => Server) {
    this.#room = room;
    this.#file = join(folder, `${toFileStem(room)}.txt`);
    this.#pick = pick;
  }

  async run(isOver: () => boolean): Promise<void> {
    const edits = [
      () => appendFileSync(this.#file, `by hand ${this.#count}\n`),
      () => this.#replace((text) => text.replace(/by hand/g, 'by editor')),
      () => rmSync(this.#file, { force: true }),
      () => writeFileSync(this.#file, ''),
    ];
    while (!isOver()) {
      for (let n = 0; n < 5; n += 1) await this.#post();
      this.#tryEdit(edits[this.#count++ % edits.length]!);
      await pause(50);
    }
  }

  /** Every line must be whole and written by one hand, and the room must take messages again. */
  async judge(): Promise<string[]> {
    this.#tryEdit(() => appendFileSync(this.#file, 'no break'));
    const status = await this.#post();
    const answer = await ask(this.#pick(), { path: this.#path }).catch(() => undefined);
    if (status !== 201 || answer?.status !== 200) {
      return [...this.#faults, `after the edits a post gives ${status}, a read ${answer?.status}`];
    }
    const shape = /^(\[[\d-]{10} [\d:]{8}\] editor: \d+|by (hand|editor) \d+|no break|)$/;
    const strange = answer.text.split('\n').filter((line) => !shape.test(line));
    if (strange.length > 0) this.#faults.push(`after the edits: ${JSON.stringify(strange[0])}`);
    return this.#faults;
  }

  get #path(): string {
    return `/chat/${encodeURIComponent(this.#room)}`;
  }

  #tryEdit(edit: () => void): void {
    try {
      edit();
    } catch (error) {
      // The file does not exist yet, or was deleted.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #replace(edit: (text: string) => string): void {
    const text = readFileSync(this.#file, 'utf8');
    // The last line may be half written at this moment; an editor loads whole lines.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    writeFileSync(`${this.#file}.new`, edit(whole));
    renameSync(`${this.#file}.new`, this.#file);
  }

  async #post(): Promise<number | undefined> {
    const body = `username=editor&message=${this.#count}`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const asked = { method: 'POST', path: this.#path, headers, body };
    const answer = await ask(this.#pick(), asked).catch(() => undefined);
    if (answer !== undefined && answer.status !== 201 && answer.status !== 503) {
      this.#faults.push(`a post beside the edits was answered ${answer.status} ${answer.text}`);
    }
    return answer?.status;
  }
}
