import { byId, toast } from './dom.js';
import { parseLine } from './line.js';
import { memory } from './storage.js';

/** Desktop notifications, for those who ask for them. */
export class Notifier {
  #button = byId('notify', HTMLButtonElement);
  #room;

  /** @param {string} room */
  constructor(room) {
    this.#room = room;
    this.#button.hidden = !('Notification' in window);
    this.#button.addEventListener('click', () => this.#toggle());
    this.#show();
  }

  /** @param {import('./line.js').Line[]} lines that others wrote while the page was hidden */
  tell(lines) {
    const last = lines.at(-1);
    if (!this.#isOn() || !document.hidden || !last) return;
    const { name, message } = parseLine(last.text);
    const title = lines.length > 1 ? `${lines.length} messages in ${this.#room}` : this.#room;
    const body = `${name}: ${message.replaceAll('↵', '\n')}`.slice(0, 200);
    // Tabs of the same room give the same tag, and the browser shows one of them.
    const notification = new Notification(title, { body, tag: `${this.#room}#${last.start}` });
    notification.addEventListener('click', () => {
      window.focus();
      notification.close();
    });
  }

  #isOn() {
    return memory.get('notify', false) && Notification.permission === 'granted';
  }

  async #toggle() {
    const wanted = !this.#isOn();
    if (wanted && (await Notification.requestPermission()) !== 'granted') {
      toast('The browser doesn’t allow notifications from this page.');
    } else {
      memory.set('notify', wanted);
      toast(
        wanted ? 'You’ll be notified while this page is in the background.' : 'Notifications off.',
      );
    }
    this.#show();
  }

  #show() {
    if (!this.#button.hidden) this.#button.setAttribute('aria-pressed', String(this.#isOn()));
  }
}
