/** Counters and histograms, shown as Prometheus text (exposition format 0.0.4). */

/** Label values by name. */
export type Labels = Readonly<Record<string, string>>;

/** The bounds of histograms of time, in seconds. */
export const SECONDS_BOUNDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** The bounds of histograms of counts. */
export const COUNT_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/** A number that only grows. */
export class Counter {
  #value = 0;

  /** Adds to it, by default one. */
  add(amount = 1): void {
    this.#value += amount;
  }

  /** Returns its sample lines. */
  show(name: string, labels: string): string {
    return `${name}${toBraces(labels)} ${this.#value}\n`;
  }
}

/** Counts values by the bounds that they do not exceed. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Counts one value. */
  observe(value: number): void {
    let index = 0;
    while (index < this.#bounds.length && value > this.#bounds[index]!) index += 1;
    this.#counts[index]! += 1;
    this.#sum += value;
  }

  /** Returns its sample lines. */
  show(name: string, labels: string): string {
    let total = 0;
    let text = '';
    for (const [index, count] of this.#counts.entries()) {
      total += count;
      const bound = `le="${this.#bounds[index] ?? '+Inf'}"`;
      text += `${name}_bucket${toBraces(labels === '' ? bound : `${labels},${bound}`)} ${total}\n`;
    }
    text += `${name}_sum${toBraces(labels)} ${this.#sum}\n`;
    return `${text}${name}_count${toBraces(labels)} ${total}\n`;
  }
}

/** The metrics of one name: a member for each combination of labels, or one that is sampled. */
interface Family {
  readonly help: string;
  readonly type: string;
  readonly members: Map<string, Counter | Histogram>;
  readonly sample?: () => number;
}

/** All metrics of a process, by name. */
export class Registry {
  readonly #families = new Map<string, Family>();

  /** Returns a counter, a new one at first. Each combination of labels is kept for good. */
  counter(name: string, help: string, labels: Labels = {}): Counter {
    return this.#member(name, help, 'counter', labels, () => new Counter());
  }

  /** Returns a histogram; makes it if it does not exist yet. See {@link Registry.counter}. */
  histogram(name: string, help: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    return this.#member(name, help, 'histogram', labels, () => new Histogram(bounds));
  }

  /** Registers a value that is measured when the page is asked for; a counter only grows. */
  sample(name: string, help: string, type: 'gauge' | 'counter', sample: () => number): void {
    this.#families.set(name, { help, type, members: new Map(), sample });
  }

  /** Returns the whole page. */
  show(): string {
    let text = '';
    for (const [name, { help, type, sample, members }] of this.#families) {
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      if (sample !== undefined) text += `${name} ${sample()}\n`;
      for (const [labels, member] of members) text += member.show(name, labels);
    }
    return text;
  }

  #member<T extends Counter | Histogram>(
    name: string,
    help: string,
    type: string,
    labels: Labels,
    make: () => T,
  ): T {
    const family = this.#families.get(name) ?? { help, type, members: new Map() };
    this.#families.set(name, family);
    const key = toLabelText(labels);
    const member = family.members.get(key) ?? make();
    family.members.set(key, member);
    return member as T;
  }
}

function toLabelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, '_')}"`)
    .join(',');
}

function toBraces(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}
