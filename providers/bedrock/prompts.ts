/** The chat templates of models that InvokeModel asks with one text, as their makers publish them. Pure. */

export interface PromptTurn {
  role: 'user' | 'assistant';
  text: string;
}

export interface PromptTemplate {
  /** The whole conversation as one prompt that ends where the model is to go on. */
  render(system: string, turns: readonly PromptTurn[]): string;
  /** Texts that the model reads as structure: in a message they would change who says what. */
  control: RegExp;
}

/** Meta's Llama 3 and 4 differ in the names of their marks alone. */
function headed(begin: string, open: string, close: string, end: string): PromptTemplate['render'] {
  const message = (role: string, text: string) => `${open}${role}${close}\n\n${text.trim()}${end}`;
  return (system, turns) =>
    [
      begin,
      ...(system === '' ? [] : [message('system', system)]),
      ...turns.map(({ role, text }) => message(role, text)),
      `${open}assistant${close}\n\n`,
    ].join('');
}

/** A user's text and the answer to it, as many times as there are; the last has no answer yet. */
function instructed(
  turns: readonly PromptTurn[],
  marks: { begin: string; end: string; first: (text: string) => string },
): string {
  let prompt = '';
  for (const [index, { role, text }] of turns.entries()) {
    if (role === 'user') prompt += `${marks.begin}[INST] ${index === 0 ? marks.first(text) : text} [/INST]`;
    else prompt += ` ${text}${marks.end}`;
  }
  return prompt;
}

/** Sources: Meta's model cards (prompt formats of Llama 2, 3 and 4) and Mistral AI's instruction format. */
export const promptTemplates = {
  llama2: {
    render: (system, turns) =>
      instructed(turns, {
        begin: '<s>',
        end: ' </s>',
        first: (text) => (system === '' ? text : `<<SYS>>\n${system}\n<</SYS>>\n\n${text}`),
      }),
    control: /<\/?s>|\[\/?INST\]|<<\/?SYS>>/,
  },
  llama3: {
    render: headed('<|begin_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'),
    control: /<\|[a-z0-9_]+\|>/,
  },
  llama4: {
    render: headed('<|begin_of_text|>', '<|header_start|>', '<|header_end|>', '<|eot|>'),
    control: /<\|[a-z0-9_]+\|>/,
  },
  mistral: {
    render: (system, turns) => {
      const first = (text: string) => (system === '' ? text : `${system}\n\n${text}`);
      return `<s>${instructed(turns, { begin: '', end: '</s>', first })}`;
    },
    control: /<\/?s>|\[\/?INST\]/,
  },
} as const satisfies Readonly<Record<string, PromptTemplate>>;
