import type { LeafGrader } from '../../protocol/eval-grader.ts';
import { type Fields, fieldsOf, listOf } from '../fields.ts';
import { toGrade } from './grade.ts';
import { GradeError, type Grader, type JudgeAnswer, type JudgeCall, type JudgePlace, type Subject } from './grader.ts';
import { compileMessages } from './messages.ts';
import { cosine } from './similarity.ts';
import { compileTemplate } from './template.ts';

type Spec<Type extends LeafGrader['type']> = Extract<LeafGrader, { type: Type }>;
type JudgeSpec = Spec<'score_model'> | Spec<'label_model'>;

const SHOWN = 200;
const EMBEDDINGS: JudgePlace = { endpoint: '/v1/embeddings' };

/** A model gives the score, within `range` (0 to 1); passes from `pass_threshold` on, else from the middle of the range. */
export function compileScoreModel(spec: Spec<'score_model'>): Grader {
  const [low, high] = spec.range ?? [0, 1];
  if (low >= high) throw new GradeError('invalid_grader', `'${spec.name}': 'range' needs two numbers, the lower first`);
  const threshold = spec.pass_threshold ?? (low + high) / 2;
  const schema = {
    type: 'object',
    properties: {
      steps: { type: 'array', items: { type: 'string' }, description: 'The reasons for the result, step by step.' },
      result: { type: 'number', description: `The score, from ${low} to ${high}.` },
    },
    required: ['steps', 'result'],
    additionalProperties: false,
  };
  const instruction = `Answer with a JSON object of the form {"steps": ["..."], "result": <a number from ${low} to ${high}>} and nothing else.`;
  return judge(spec, { schema, instruction }, (answer) => {
    const score = Number(typeof answer === 'number' ? answer : (fieldsOf(answer).result ?? Number.NaN));
    if (!Number.isFinite(score) || score < low || score > high) {
      throw new GradeError('judge_unreadable', `the judge gave no number from ${low} to ${high}`);
    }
    return { score, passed: score >= threshold };
  });
}

/** A model chooses one of the labels: 1 for a passing one, else 0. */
export function compileLabelModel(spec: Spec<'label_model'>): Grader {
  const wrong = spec.passing_labels.find((label) => !spec.labels.includes(label));
  if (wrong !== undefined) {
    throw new GradeError(
      'invalid_grader',
      `'${spec.name}': the passing label '${wrong.slice(0, 100)}' is none of the labels`,
    );
  }
  const schema = {
    type: 'object',
    properties: {
      steps: { type: 'array', items: { type: 'string' }, description: 'The reasons for the label, step by step.' },
      label: { type: 'string', enum: spec.labels },
    },
    required: ['steps', 'label'],
    additionalProperties: false,
  };
  const instruction = `Answer with a JSON object of the form {"steps": ["..."], "label": "<one of ${spec.labels.join(' | ')}>"} and nothing else.`;
  return judge(spec, { schema, instruction }, (answer) => {
    const label = typeof answer === 'string' ? answer : fieldsOf(answer).label;
    if (typeof label !== 'string' || !spec.labels.includes(label)) {
      throw new GradeError('judge_unreadable', 'the judge gave none of the labels');
    }
    const passed = spec.passing_labels.includes(label);
    return { score: passed ? 1 : 0, passed, label };
  });
}

function judge(
  spec: JudgeSpec,
  form: { schema: Fields; instruction: string },
  read: (answer: unknown) => { score: number; passed: boolean; label?: string },
): Grader {
  const messages = compileMessages(spec.input);
  const params = judgeParams(spec.sampling_params ?? {});
  const at = placeOf(spec);
  const format = { type: 'json_schema', json_schema: { name: 'grade', strict: true, schema: form.schema } };
  return {
    name: spec.name,
    type: spec.type,
    templates: messages.reads,
    asks: [{ at, model: spec.model }],
    calls: (subject) => [
      {
        at,
        body: {
          model: spec.model,
          messages: withInstruction(messages.chat(subject), form.instruction),
          response_format: format,
          ...params,
        },
      },
    ],
    grade: (subject, [answer]) =>
      toGrade(spec, () => {
        const body = requireBody(answer);
        const choice = listOf(body.choices)[0];
        const text = fieldsOf(choice?.message).content;
        if (typeof text !== 'string') throw new GradeError('judge_unreadable', 'the judge answered without a text');
        const { label, ...outcome } = read(parse(text));
        const input = messages.chat(subject);
        const output = [{ role: 'assistant', content: text }];
        const sample = { input, output, model: body.model ?? spec.model, finish_reason: choice?.finish_reason ?? null };
        return { ...outcome, sample: { ...sample, usage: body.usage ?? null, ...(label !== undefined && { label }) } };
      }),
  };
}

function placeOf({ config, completion_window: window }: JudgeSpec): JudgePlace {
  return {
    endpoint: '/v1/chat/completions',
    ...(config !== undefined && { config }),
    ...(window !== undefined && { window }),
  };
}

/** OpenAI calls the limit `max_completions_tokens` here and `max_completion_tokens` in requests. */
function judgeParams({ max_completions_tokens: most, ...params }: NonNullable<JudgeSpec['sampling_params']>): Fields {
  const named = { ...(most != null && { max_completion_tokens: most }), ...params };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value != null));
}

/** For judges that do not keep to a schema; beside the author's own system message, where there is one. */
function withInstruction(messages: Fields[], instruction: string): Fields[] {
  const [first, ...rest] = messages;
  const isSystem = first?.role === 'system' || first?.role === 'developer';
  if (!isSystem || typeof first.content !== 'string') return [{ role: 'system', content: instruction }, ...messages];
  return [{ ...first, content: `${first.content}\n\n${instruction}` }, ...rest];
}

function requireBody(answer: JudgeAnswer | undefined): Fields {
  if (answer === undefined) throw new GradeError('judge_failed', 'the judge was not asked');
  if ('error' in answer) {
    throw new GradeError(
      'judge_failed',
      `the judge gave no answer (${answer.error.code}): ${answer.error.message.slice(0, SHOWN)}`,
    );
  }
  return answer.body;
}

/** JSON, perhaps within a fence of code; a text that is none is taken as it is. */
function parse(text: string): unknown {
  const inner = /^\s*```[a-z]*\n([\s\S]*?)\n?```\s*$/i.exec(text)?.[1] ?? text;
  try {
    return JSON.parse(inner);
  } catch {
    return inner.trim();
  }
}

/** The cosine of two embeddings, which a model makes. */
export function compileCosine(spec: Spec<'text_similarity'>): Grader {
  const { model } = spec;
  if (model === undefined) {
    throw new GradeError(
      'invalid_grader',
      `'${spec.name}': the metric 'cosine' compares embeddings and needs 'model', a model or route that makes them; or use another metric`,
    );
  }
  const [input, reference] = [compileTemplate(spec.input), compileTemplate(spec.reference)];
  const calls = (subject: Subject): JudgeCall[] => [
    { at: EMBEDDINGS, body: { model, input: [input.render(subject), reference.render(subject)] } },
  ];
  return {
    name: spec.name,
    type: spec.type,
    templates: [...input.reads, ...reference.reads],
    asks: [{ at: EMBEDDINGS, model }],
    calls,
    grade: (_subject, [answer]) =>
      toGrade(spec, () => {
        const vectors = listOf(requireBody(answer).data).map(({ embedding }) => embedding);
        const [left, right] = vectors.map((vector) => (Array.isArray(vector) ? vector.map(Number) : []));
        const score = cosine(left ?? [], right ?? []);
        return { score, passed: score >= (spec.pass_threshold ?? 0.5) };
      }),
  };
}
