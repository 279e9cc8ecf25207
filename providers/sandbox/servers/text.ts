const CHARACTERS_PER_TOKEN = 4;
const TOKENS_PER_IMAGE = 85;
// Requests may nest as deeply as JSON allows; nothing meaningful is deeper than this.
const DEEPEST = 32;

/** The server's tokenizer: four characters a token. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

/** Tokens of a prompt in any of OpenAI's shapes: text, token ids, messages, input items and their parts. At least 1. */
export function countPromptTokens(...prompts: unknown[]): number {
  const characters = prompts.reduce<number>((sum, prompt) => sum + countCharacters(prompt, 0), 0);
  return Math.max(1, Math.ceil(characters / CHARACTERS_PER_TOKEN));
}

function countCharacters(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'number') return CHARACTERS_PER_TOKEN;
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return 0;
  let characters = 0;
  if (Array.isArray(value)) {
    for (const item of value) characters += countCharacters(item, depth + 1);
    return characters;
  }
  const { content, text, output, image_url: image } = value as Record<string, unknown>;
  if (content !== undefined) characters += countCharacters(content, depth + 1);
  if (typeof text === 'string') characters += text.length;
  if (typeof output === 'string') characters += output.length;
  if (image !== undefined) characters += TOKENS_PER_IMAGE * CHARACTERS_PER_TOKEN;
  return characters;
}

/** The first `tokens` tokens of a text; never half of a surrogate pair. */
export function cutToTokens(text: string, tokens: number): string {
  return text.slice(0, wholeCharacterAt(text, tokens * CHARACTERS_PER_TOKEN));
}

/** The text in pieces of about four tokens, as a stream would bring it. */
export function splitIntoPieces(text: string): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = wholeCharacterAt(text, start + 4 * CHARACTERS_PER_TOKEN);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

function wholeCharacterAt(text: string, index: number): number {
  const before = text.charCodeAt(index - 1);
  return before >= 0xd800 && before <= 0xdbff ? index - 1 : index;
}

const OPENINGS = [
  'First, ',
  'In short, ',
  'As asked, ',
  'To begin with, ',
  'Looking closely, ',
  'On reflection, ',
  'Step by step: ',
  '',
];
const SENTENCES = [
  'the total follows from adding the parts and checking the sum once more.',
  'each value is read from the question and none is assumed.',
  'the second quantity is half of the first, which leaves a simple ratio.',
  'we multiply the price by the number of items to get the cost.',
  'the remaining amount is what was there before, less what was used.',
  'the text speaks of a plan, its cost and the people who will carry it out.',
  'the main point is stated early and repeated at the end.',
  'two of the options can be excluded, so the third one must hold.',
  'the tone is friendly and the request is clear.',
  'the rate stays the same for the whole week, so seven days count alike.',
  'a short example makes the rule easier to remember.',
  'nothing in the question contradicts this reading.',
  'the units agree on both sides, which supports the result.',
  'the answer is given below with the steps that lead to it.',
  'the author prefers plain words and gives one reason for each claim.',
  'rounding happens only at the end, so no precision is lost.',
];

/** One to four plausible sentences and a closing number that depend on `key` alone. */
export function writeText(key: number): string {
  const opening = OPENINGS[key % OPENINGS.length] ?? '';
  const count = 1 + ((key >>> 3) % 4);
  const start = (key >>> 5) % SENTENCES.length;
  // An odd step visits different sentences, for their number is a power of two.
  const step = ((key >>> 9) % SENTENCES.length) | 1;
  let text = opening;
  for (let index = 0; index < count; index += 1) {
    const sentence = SENTENCES[(start + index * step) % SENTENCES.length] ?? '';
    text += index === 0 && opening !== '' ? sentence : capitalised(sentence);
    text += ' ';
  }
  return `${text}The answer is ${(key >>> 13) % 1000}.`;
}

function capitalised(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
