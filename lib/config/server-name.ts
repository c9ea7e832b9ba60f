/** The friendly name of a server whose operator gave it none. */
import { createHash } from 'node:crypto';

const ADJECTIVES = toWords(`
  amber bold brave bright brisk calm clever cosy crisp daring eager early fair fond gentle glad golden
  happy humble jolly keen kind lively lucky mellow merry mighty nimble noble patient plucky polite proud
  quick quiet ready rosy royal silver smart snowy steady sunny swift tidy warm wise witty`);

const ANIMALS = toWords(`
  badger bear beaver bison crane deer dolphin eagle falcon finch fox gecko goose hare hawk hedgehog heron
  ibex jay koala lark lemur lion lynx marten mole moose newt otter owl panda pelican penguin puffin quail
  rabbit raven robin salmon seal sparrow squirrel stork swan tiger turtle walrus whale wolf wren yak zebra`);

/** Makes a friendly name, as `brave-otter`, always the same one for the same host. */
export function toFriendlyName(hostname: string): string {
  const hash = createHash('sha256').update(hostname).digest();
  return `${pick(ADJECTIVES, hash.readUInt16BE(0))}-${pick(ANIMALS, hash.readUInt16BE(2))}`;
}

function toWords(text: string): string[] {
  return text.trim().split(/\s+/);
}

function pick(words: readonly string[], number: number): string {
  return words[number % words.length]!;
}
