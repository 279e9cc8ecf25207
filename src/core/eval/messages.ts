import type { EvalMessage } from '../../protocol/eval-grader.ts';
import type { Fields } from '../fields.ts';
import type { Subject } from './grader.ts';
import { compileTemplate, type Template } from './template.ts';

type Part = Exclude<EvalMessage['content'], unknown[]>;

/** Messages with templates, ready to be filled in. */
export interface MessagesTemplate {
  reads: readonly string[];
  /** As the messages of a chat completion. */
  chat(subject: Subject): Fields[];
  /** As the input of a response. */
  input(subject: Subject): Fields[];
}

/** Throws GradeError, code `invalid_template`. */
export function compileMessages(messages: readonly EvalMessage[]): MessagesTemplate {
  const compiled = messages.map(({ role, content }) => ({
    role,
    content:
      typeof content === 'string'
        ? compileTemplate(content)
        : (Array.isArray(content) ? content : [content]).map(compilePart),
  }));
  const fill = (subject: Subject, form: 'chat' | 'input'): Fields[] =>
    compiled.map(({ role, content }) => ({
      role,
      content: Array.isArray(content) ? content.map((part) => part[form](subject, role)) : content.render(subject),
    }));
  return {
    reads: compiled.flatMap(({ content }) =>
      Array.isArray(content) ? content.flatMap(({ reads }) => reads) : content.reads,
    ),
    chat: (subject) => fill(subject, 'chat'),
    input: (subject) => fill(subject, 'input'),
  };
}

interface CompiledPart {
  reads: readonly string[];
  chat(subject: Subject): Fields;
  input(subject: Subject, role: string): Fields;
}

function compilePart(part: Part): CompiledPart {
  if (typeof part === 'string') return textPart(compileTemplate(part));
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return textPart(compileTemplate(part.text));
    case 'input_image': {
      const url = compileTemplate(part.image_url);
      const detail = part.detail === undefined ? {} : { detail: part.detail };
      return {
        reads: url.reads,
        chat: (subject) => ({ type: 'image_url', image_url: { url: url.render(subject), ...detail } }),
        input: (subject) => ({ type: 'input_image', image_url: url.render(subject), ...detail }),
      };
    }
    case 'input_audio':
      return { reads: [], chat: () => ({ ...part }), input: () => ({ ...part }) };
  }
}

function textPart(text: Template): CompiledPart {
  return {
    reads: text.reads,
    chat: (subject) => ({ type: 'text', text: text.render(subject) }),
    input: (subject, role) => ({
      type: role === 'assistant' ? 'output_text' : 'input_text',
      text: text.render(subject),
    }),
  };
}
