import type { Endpoint } from '../../protocol/endpoint.ts';
import type { EvalInputMessages } from '../../protocol/eval-run.ts';
import { type Fields, isFields } from '../fields.ts';
import { GradeError, type Subject } from './grader.ts';
import { compileMessages } from './messages.ts';
import { compileReference } from './template.ts';

export type SampledEndpoint = Extract<Endpoint, '/v1/chat/completions' | '/v1/responses'>;

/** What a target asks for each item. */
export interface Asker {
  endpoint: SampledEndpoint;
  /** The messages for an item. Throws GradeError where the item does not hold what they need. */
  messages(item: Fields): Fields[];
  /** The whole body of the request. */
  body(item: Fields): Fields;
}

/** Throws GradeError for templates that cannot be filled in from an item. */
export function compileAsker(spec: {
  endpoint: SampledEndpoint;
  model: string;
  input: EvalInputMessages;
  params: Fields;
}): Asker {
  const { endpoint, model, input } = spec;
  const isChat = endpoint === '/v1/chat/completions';
  const { reads, fill } =
    input.type === 'template' ? fromTemplate(input.template, isChat) : fromItem(input.item_reference);
  const wrong = reads.find((text) => !text.startsWith('item'));
  if (wrong !== undefined) {
    throw new GradeError(
      'invalid_template',
      `'{{${wrong}}}' is read before there is an answer; input messages read the item only`,
    );
  }
  const messages = (item: Fields) => fill({ item, sample: {} });
  const params = isChat ? spec.params : responseParams(spec.params);
  const name = isChat ? 'messages' : 'input';
  return { endpoint, messages, body: (item) => ({ model, [name]: messages(item), ...params }) };
}

function fromTemplate(template: Extract<EvalInputMessages, { type: 'template' }>['template'], isChat: boolean) {
  const compiled = compileMessages(template);
  return { reads: compiled.reads, fill: isChat ? compiled.chat : compiled.input };
}

function fromItem(text: string) {
  const reference = compileReference(text);
  const fill = (subject: Subject): Fields[] => {
    const messages = reference.read(subject);
    if (
      !Array.isArray(messages) ||
      messages.length === 0 ||
      !messages.every((each) => isFields(each) && typeof each.role === 'string')
    ) {
      throw new GradeError('invalid_messages', `'${text}' is no list of messages, each with a role`);
    }
    return messages as Fields[];
  };
  return { reads: [reference.text], fill };
}

/** Evals have one set of names for both endpoints. */
function responseParams({ max_completion_tokens: most, reasoning_effort: effort, ...params }: Fields): Fields {
  return {
    ...(most != null && { max_output_tokens: most }),
    ...(effort != null && { reasoning: { effort } }),
    ...params,
  };
}
