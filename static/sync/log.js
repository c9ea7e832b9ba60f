import { view } from '../messages/view.js';
import { START } from '../model/address.js';
import { reader } from '../net/reader.js';

/** @import { Line } from '../model/line.js' */
/** @import { Page } from '../net/reader.js' */

/** So far behind, the room is opened anew at its tail. */
const FAR_BYTES = 1_048_576;

/**
 * What is known of the room, up to `cursor`. Every line, whether streamed, polled, from another tab
 * or in the answer to a POST, comes through here and counts once, by its byte offsets.
 */
class RoomLog {
	#opening = 0;
	/** @type {Promise<void> | undefined} */
	#catching;
	#again = false;
	cursor = START;
	isOpen = false;

	/** Called with new lines. @type {(lines: Line[], fromTab: boolean) => void} */
	arrived = () => {};

	/** Shows the end of the room. */
	openTail() {
		return this.#openPage(reader.tail());
	}

	/** Shows the line of a byte and those around it, or else the end. @param {number} offset */
	async openAt(offset) {
		return (await this.#openPage(reader.around(offset), offset)) ?? this.openTail();
	}

	/** @param {Promise<Page>} reading @param {number} [offset] */
	async #openPage(reading, offset = -1) {
		this.#opening += 1;
		const opening = this.#opening;
		const page = await reading;
		const line = page.lines.find(({ start, end }) => start <= offset && offset < end);
		if (opening !== this.#opening) return line;
		if (line || offset < 0) this.#open(page, line?.start);
		return line;
	}

	/**
	 * Takes a line that came live, in any order, at any time, perhaps through another tab.
	 * @param {string} epoch @param {Line} line
	 */
	receive(epoch, line, fromTab = false) {
		if (this.isOpen && this.#accept([line], epoch, fromTab)) return;
		this.catchUp().catch(() => {});
	}

	/** Reads what is new; opens the room where that hasn't worked yet. Rejects if it can't. */
	catchUp() {
		this.#again = true;
		this.#catching ??= this.#readNew().finally(() => {
			this.#catching = undefined;
		});
		return this.#catching;
	}

	async #readNew() {
		while (this.#again) {
			this.#again = false;
			const news = this.isOpen ? await reader.poll(this.cursor.offset) : undefined;
			if (!this.isOpen) await this.openTail();
			if (!news) continue;
			let { page } = news;
			const isFar = view.isAtTail && page.size - this.cursor.offset > FAR_BYTES;
			if (news.hasMoved || this.#isOther(page.cursor.epoch) || isFar) {
				await this.openTail();
				continue;
			}
			for (;;) {
				this.#accept(page.lines, page.cursor.epoch, false);
				if (this.cursor.offset >= page.cursor.offset || !page.lines.length) break;
				page = await reader.after(this.cursor.offset);
			}
		}
	}

	/**
	 * Takes the lines that go on where the known text ends, and none that it has; false where
	 * something is missing before one of them.
	 * @param {Line[]} lines @param {string} epoch @param {boolean} fromTab
	 */
	#accept(lines, epoch, fromTab) {
		if (this.#isOther(epoch)) return false;
		const wasAtTail = view.isAtTail;
		/** @type {Line[]} */
		const fresh = [];
		let { offset } = this.cursor;
		for (const line of lines) {
			if (line.start !== offset) continue;
			fresh.push(line);
			offset = line.end;
		}
		if (fresh.length) {
			this.#moveTo(epoch, offset);
			if (wasAtTail) view.append(fresh);
			this.arrived(fresh, fromTab);
		}
		return lines.every((line) => line.end <= offset);
	}

	/** @param {Page} page @param {number} [offset] */
	#open(page, offset) {
		const { epoch } = page.cursor;
		const end = Math.max(page.end, page.cursor.offset);
		// Lines that came while this was being read have to come again.
		const isBehind = this.isOpen && !this.#isOther(epoch) && this.cursor.offset > end;
		this.#moveTo(epoch, end);
		this.isOpen = true;
		view.show(page, offset);
		if (isBehind) this.catchUp().catch(() => {});
	}

	/** @param {string} epoch @param {number} offset */
	#moveTo(epoch, offset) {
		this.cursor = { epoch, offset };
		view.end = offset;
	}

	/** Whether the room is another than it was. @param {string} epoch */
	#isOther(epoch) {
		return epoch !== this.cursor.epoch && this.cursor.offset > 0;
	}
}

export const log = new RoomLog();
