import { byId } from './dom.js';
import { countCharacters, faultOfName, MESSAGE_LIMIT } from './line.js';
import { memory } from './storage.js';

/** From here on it shows how many characters are left. */
const COUNTED = MESSAGE_LIMIT - 400;

/** Where messages are written: the draft, its length, and the keys that send it. */
export class Composer {
  #form = byId('composer', HTMLFormElement);
  #text = byId('message', HTMLTextAreaElement);
  #counter = byId('counter', HTMLElement);
  #button = byId('send', HTMLButtonElement);
  #key;
  #send;

  /**
   * @param {string} room whose draft it keeps
   * @param {(message: string) => boolean} send false where it can't be sent now
   */
  constructor(room, send) {
    this.#key = `draft.${room}`;
    this.#send = send;
    this.#text.value = memory.get(this.#key, '');
    this.#text.addEventListener('input', () => this.#changed());
    this.#text.addEventListener('keydown', (event) => this.#press(event));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#changed();
  }

  focus() {
    this.#text.focus();
  }

  /**
   * Puts a message back to be edited, before what is being written.
   * @param {string} message
   */
  takeBack(message) {
    this.#text.value = this.#text.value ? `${message}\n${this.#text.value}` : message;
    this.#changed();
    this.focus();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    // While an input method composes, Enter chooses a candidate. Safari says so by 229 only.
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key !== 'Enter' || event.shiftKey || isComposing) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const message = this.#text.value.replace(/^(?:[^\S\n]*\n)+|\s+$/g, '');
    if (!message || countCharacters(message) > MESSAGE_LIMIT || !this.#send(message)) return;
    this.#text.value = '';
    this.#changed();
    this.focus();
  }

  #changed() {
    const { value } = this.#text;
    memory.set(this.#key, value);
    const left = MESSAGE_LIMIT - (value.length < COUNTED ? 0 : countCharacters(value));
    this.#counter.textContent = left > MESSAGE_LIMIT - COUNTED ? '' : `${left} left`;
    this.#counter.classList.toggle('over', left < 0);
    this.#text.setAttribute('aria-invalid', String(left < 0));
    this.#button.disabled = left < 0 || !value.trim();
    if (CSS.supports('field-sizing', 'content')) return;
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}

/** The reader's name: asked for once, where the first message is to be written. */
export class Identity extends EventTarget {
  #form = byId('identity', HTMLFormElement);
  #input = byId('name', HTMLInputElement);
  #fault = byId('name-fault', HTMLElement);
  #label = byId('me', HTMLElement);
  #change = byId('rename', HTMLButtonElement);
  name = memory.get('name', '');

  constructor() {
    super();
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#take(this.#input.value.trim());
    });
    this.#input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.name) this.#show(false);
    });
    this.#change.addEventListener('click', () => {
      this.#show(true);
      this.#input.select();
    });
    this.#show(!this.name);
  }

  /** @param {string} name */
  #take(name) {
    const fault = faultOfName(name);
    this.#fault.textContent = fault;
    this.#input.setAttribute('aria-invalid', String(Boolean(fault)));
    if (fault) return this.#input.focus();
    this.name = name;
    memory.set('name', name);
    this.#show(false);
    this.dispatchEvent(new Event('change'));
  }

  /** @param {boolean} asks */
  #show(asks) {
    this.#form.hidden = !asks;
    byId('composer', HTMLFormElement).hidden = asks;
    this.#input.value = this.name;
    this.#label.textContent = this.name;
  }
}
