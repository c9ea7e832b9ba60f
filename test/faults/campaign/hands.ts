// What people do to a folder of rooms while replicas serve it: they append, replace and delete
// files. What is posted there meanwhile may be lost, as by any editor; nothing else may happen.
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toFileStem } from '../../../lib/room/name.ts';
import { ask } from '../../support/http.ts';
import { pause, type Server } from '../../support/server.ts';

export class Hands {
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
    const deeds = [
      () => appendFileSync(this.#file, `by hand ${this.#count}\n`),
      () => this.#replace((text) => text.replace(/by hand/g, 'by a foot')),
      () => rmSync(this.#file, { force: true }),
      () => writeFileSync(this.#file, ''),
    ];
    while (!isOver()) {
      for (let n = 0; n < 5; n += 1) await this.#post();
      this.#tryDeed(deeds[this.#count++ % deeds.length]!);
      await pause(50);
    }
  }

  /** All of it are whole lines of one hand, and a message is taken and shown again. */
  async judge(): Promise<string[]> {
    this.#tryDeed(() => appendFileSync(this.#file, 'no break'));
    const status = await this.#post();
    const answer = await ask(this.#pick(), { path: this.#path }).catch(() => undefined);
    if (status !== 201 || answer?.status !== 200) {
      return [...this.#faults, `after the hands a post gives ${status}, a read ${answer?.status}`];
    }
    const shape = /^(\[[\d-]{10} [\d:]{8}\] hand: \d+|by (hand|a foot) \d+|no break|)$/;
    const strange = answer.text.split('\n').filter((line) => !shape.test(line));
    if (strange.length > 0) this.#faults.push(`after the hands: ${JSON.stringify(strange[0])}`);
    return this.#faults;
  }

  get #path(): string {
    return `/chat/${encodeURIComponent(this.#room)}`;
  }

  #tryDeed(deed: () => void): void {
    try {
      deed();
    } catch (error) {
      // A file that is not there yet, or not any more.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #replace(edit: (text: string) => string): void {
    const text = readFileSync(this.#file, 'utf8');
    // An editor has the whole lines that it read; half of one may be on its way just now.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    writeFileSync(`${this.#file}.new`, edit(whole));
    renameSync(`${this.#file}.new`, this.#file);
  }

  async #post(): Promise<number | undefined> {
    const body = `username=hand&message=${this.#count}`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const asked = { method: 'POST', path: this.#path, headers, body };
    const answer = await ask(this.#pick(), asked).catch(() => undefined);
    if (answer !== undefined && answer.status !== 201 && answer.status !== 503) {
      this.#faults.push(`a post beside the hands was answered ${answer.status} ${answer.text}`);
    }
    return answer?.status;
  }
}
