import type { ModelFamily } from './models.ts';

/** A block of Converse content; exactly one member is set. */
export type Block = Readonly<Record<string, unknown>>;

export interface ConverseMessage {
  role: 'user' | 'assistant';
  content: Block[];
}

/** A Converse request while it is put together. */
export interface Draft {
  readonly family: ModelFamily;
  /** The model as asked for, for messages. */
  readonly model: string;
  readonly warnings: string[];
  system: Block[];
  messages: ConverseMessage[];
  inference: Record<string, unknown>;
  tools: Block[] | null;
  toolChoice: Block | null;
  outputConfig: Record<string, unknown> | null;
  /** `additionalModelRequestFields` */
  extra: Record<string, unknown>;
}

export function newDraft(family: ModelFamily, model: string): Draft {
  return {
    family,
    model,
    warnings: [],
    system: [],
    messages: [],
    inference: {},
    tools: null,
    toolChoice: null,
    outputConfig: null,
    extra: {},
  };
}

export function warnOnce(draft: Draft, text: string): void {
  if (!draft.warnings.includes(text)) draft.warnings.push(text);
}
