import type { AnswerLimit } from '../../src/core/lane.ts';
import type { Result } from '../contract.ts';
import { toMessages } from '../shared/anthropic-messages.ts';
import { fromMessage } from '../shared/anthropic-messages-answer.ts';
import { familyOfModel } from '../shared/anthropic-messages-families.ts';
import { answerLimitOf } from '../shared/anthropic-messages-parameters.ts';
import type { ConvertSettings, NativeBody } from './convert-settings.ts';
import type { AnswerFacts } from './facts.ts';
import { type KnownModel, knownModel } from './models.ts';
import { Refused, unsupported } from './refused.ts';

/** Bedrock's one version of the Messages API (Claude's parameter page). */
const version = 'bedrock-2023-05-31';

/** A chat request as a body of Anthropic's Messages API, as InvokeModel takes it: no model, no stream. Throws Refused. */
export function claudeBody(
  chat: Readonly<Record<string, unknown>>,
  model: string,
  { priced }: KnownModel,
  settings: ConvertSettings,
): NativeBody {
  const family = familyOfModel(priced);
  if (family === null) {
    const message = `${settings.provider} does not know the Claude model '${model}'.`;
    throw unsupported('model', message, 'unknown_model_family');
  }
  const mapped = toMessages(chat, {
    provider: settings.provider,
    family,
    head: { anthropic_version: version },
    fetchesUrls: false,
    caches: true,
    hasServiceTiers: false,
    defaultMaxTokens: Math.min(settings.defaultMaxTokens, family.maxOutput),
  });
  if (!mapped.ok) throw new Refused(mapped.failure);
  // Claude's parameter page of Bedrock does not list Anthropic's `metadata`, and unknown members can fail a line.
  const { metadata, ...body } = mapped.body;
  const warnings = [...mapped.warnings];
  if (metadata !== undefined) warnings.push('user was left out: Bedrock does not know it');
  return { body: JSON.stringify(body), warnings };
}

/** See Provider; of Claude's models alone. */
export function answerLimit(model: string, { profiles, defaultMaxTokens }: ConvertSettings): AnswerLimit | null {
  const known = knownModel(model, profiles);
  const family = known?.family.form === 'claude' ? familyOfModel(known.priced) : null;
  return family && answerLimitOf(family, defaultMaxTokens);
}

/**
 * A Messages answer as a chat completion. It names the model as Anthropic does, without region and version; Bedrock's own
 * name, under which it was asked and is priced, takes its place.
 */
export function claudeResult(output: Readonly<Record<string, unknown>>, facts: AnswerFacts): Result {
  const { provider, secrets, requestId, model, created } = facts;
  return fromMessage({ ...output, model }, { provider, secrets, requestId, nowMs: created * 1000 });
}
