/** Requests of every kind that all providers take, for files that go to all of them at once. */

/** A PNG of one pixel. */
const image =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const weather = {
  type: 'function',
  function: {
    name: 'look_up_weather',
    description: 'The weather in a city.',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city'],
      additionalProperties: false,
    },
  },
};

const schema = {
  type: 'json_schema',
  json_schema: {
    name: 'answer',
    strict: true,
    schema: {
      type: 'object',
      properties: { answer: { type: 'string' } },
      required: ['answer'],
      additionalProperties: false,
    },
  },
};

const user = (content: unknown) => ({ role: 'user', content });
const call = (id: string, city: string) => ({
  id,
  type: 'function',
  function: { name: 'look_up_weather', arguments: JSON.stringify({ city }) },
});

type Make = (index: number) => object;

const makers = {
  short: (index) => ({ messages: [user(`Is ${index} even?`)], max_tokens: 16 }),
  system: (index) => ({
    messages: [{ role: 'system', content: 'Answer like a captain.' }, user(`Where is buoy ${index}?`)],
    max_tokens: 200,
  }),
  unicode: (index) => ({
    messages: [
      { role: 'developer', content: 'Réponds en 日本語 – مرحبا 👩‍👩‍👧' },
      user(`a\u2028b\u2029c\u0085d e\u0301 \u0000 "quoted" \\n ${index} 🜁`),
    ],
    max_tokens: 200,
  }),
  long: (index) => ({
    messages: [
      user(`Summarise ${index}: ${'the quick brown fox jumps over the lazy dog. '.repeat(40 + (index % 60))}`),
    ],
    max_tokens: 300,
  }),
  tools: (index) => ({
    messages: [user(`How is the weather in city ${index}?`)],
    tools: [weather],
    tool_choice: { type: 'function', function: { name: 'look_up_weather' } },
    max_tokens: 200,
  }),
  toolResults: (index) => ({
    messages: [
      user('Compare two cities.'),
      {
        role: 'assistant',
        content: null,
        tool_calls: [call(`call_a${index}`, 'Oslo'), call(`call_b${index}`, 'Rome')],
      },
      { role: 'tool', tool_call_id: `call_a${index}`, content: '{"degrees": -4}' },
      { role: 'tool', tool_call_id: `call_b${index}`, content: 'sunny, 19 degrees' },
    ],
    tools: [weather],
    max_tokens: 200,
  }),
  image: (index) => ({
    messages: [
      user([
        { type: 'text', text: `What is on picture ${index}?` },
        { type: 'image_url', image_url: { url: image } },
      ]),
    ],
    max_tokens: 200,
  }),
  schema: (index) => ({
    messages: [user(`Answer ${index} as JSON.`)],
    response_format: schema,
    max_tokens: 400,
  }),
  stop: (index) => ({
    messages: [user(`Count to ${index}.`)],
    stop: ['END', '###'],
    temperature: 0.3,
    max_completion_tokens: 200,
  }),
  turns: (index) => ({
    messages: [user('Hello'), { role: 'assistant', content: 'Hello. What is it?' }, user(`Number ${index}, please.`)],
    temperature: 1,
    max_tokens: 200,
  }),
  seed: (index) => ({
    messages: [user(`Draw a card, ${index}.`)],
    seed: index,
    user: `u-${index % 9}`,
    max_tokens: 200,
  }),
} satisfies Record<string, Make>;

export type LineKind = keyof typeof makers;
export const lineKinds = Object.keys(makers) as LineKind[];

/** Spread over the kinds by a rule that no split by weight can fall into step with. */
export function kindOf(index: number): LineKind {
  const mixed = (Math.imul(index + 1, 2654435761) >>> 16) % lineKinds.length;
  return lineKinds[mixed] as LineKind;
}

/** The id of a line; some hold what has to be escaped. */
export function idOf(index: number): string {
  const odd = index % 50 === 7 ? ' é/"\\🜁' : '';
  return `mixed-${index}${odd}`;
}

/** A batch file of `count` mixed lines for one route. */
export function mixedLines(count: number): string {
  return Array.from({ length: count }, (_, index) => {
    const body = { model: 'any', ...makers[kindOf(index)](index) };
    return `${JSON.stringify({ custom_id: idOf(index), method: 'POST', url: '/v1/chat/completions', body })}\n`;
  }).join('');
}

/** Embedding lines that ask for 256 dimensions. */
export const isShortened = (index: number): boolean => index % 4 === 1;
/** Embedding lines that ask for base64. */
export const isBase64 = (index: number): boolean => index % 5 === 0;
/** The texts of an embedding line. */
export const textsOf = (index: number): string[] =>
  Array.from(
    { length: index % 7 === 3 ? 3 : 1 },
    (_none, part) => `Text ${index}/${part} – ü \u2028 ${'w '.repeat(index % 30)}`,
  );

/** Embedding requests: a text or a list, numbers or base64, with and without a number of dimensions. */
export function embeddingLines(count: number): string {
  return Array.from({ length: count }, (_, index) => {
    const texts = textsOf(index);
    const body = {
      model: 'any',
      input: index % 3 === 0 || texts.length > 1 ? texts : texts[0],
      ...(isShortened(index) && { dimensions: 256 }),
      ...(isBase64(index) && { encoding_format: 'base64' }),
    };
    return `${JSON.stringify({ custom_id: `text-${index}`, method: 'POST', url: '/v1/embeddings', body })}\n`;
  }).join('');
}
