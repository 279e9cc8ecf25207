import type { Failure } from '../../src/core/failure.ts';
import {
  type Fields,
  type Mapping,
  MappingRefusal,
  type MessagesOptions,
  refuse,
} from './anthropic-messages-mapping.ts';
import {
  checkParameters,
  maxTokensOf,
  metadataOf,
  samplingOf,
  serviceTierOf,
  stopSequencesOf,
} from './anthropic-messages-parameters.ts';
import { thinkingOf } from './anthropic-messages-thinking.ts';
import { formatOf, toolsOf } from './anthropic-messages-tools.ts';
import { conversationOf } from './anthropic-messages-turns.ts';

export type MappedBody =
  | { ok: true; body: Record<string, unknown>; warnings: string[] }
  | { ok: false; failure: Failure };

/**
 * OpenAI's chat completion body as a body of Anthropic's Messages API. Pure; never throws: what cannot be expressed comes
 * back as a failure that names the parameter, what is left out as a warning.
 */
export function toMessages(body: Fields, options: MessagesOptions): MappedBody {
  const mapping: Mapping = { options, warnings: [] };
  try {
    return { ok: true, body: write(body, mapping), warnings: mapping.warnings };
  } catch (error) {
    if (error instanceof MappingRefusal) return { ok: false, failure: error.failure };
    throw error;
  }
}

function write(body: Fields, mapping: Mapping): Record<string, unknown> {
  checkParameters(body, mapping);
  const { system, messages } = conversationOf(body.messages, mapping);
  const maxTokens = maxTokensOf(body, mapping);
  const { thinking, effort } = thinkingOf(body, maxTokens, mapping);
  const isThinking = thinking !== undefined && thinking.type !== 'disabled';
  const { format, tools: formatTools } = formatOf(body, mapping);
  const tools = formatTools ?? toolsOf(body, mapping);
  refuseForcedThinking(tools, isThinking, formatTools === undefined ? 'tool_choice' : 'response_format');
  return {
    ...mapping.options.head,
    max_tokens: maxTokens,
    ...(system !== undefined && { system }),
    messages,
    ...samplingOf(body, isThinking, mapping),
    ...stopSequencesOf(body),
    ...tools,
    ...(thinking !== undefined && { thinking }),
    ...((format !== undefined || effort !== undefined) && {
      output_config: { ...(effort !== undefined && { effort }), ...(format !== undefined && { format }) },
    }),
    ...metadataOf(body, mapping),
    ...serviceTierOf(body, mapping),
  };
}

/** Extended thinking goes with `auto` and `none` only (Anthropic's extended-thinking guide, tool use). */
function refuseForcedThinking(tools: Fields, isThinking: boolean, param: string): void {
  const choice = tools.tool_choice as Fields | undefined;
  if (!isThinking || choice === undefined || choice.type === 'auto' || choice.type === 'none') return;
  refuse(param, `Claude cannot be forced to call a tool ('${param}') while it reasons.`);
}
