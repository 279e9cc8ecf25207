import type { Failure } from '../../src/core/failure.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { AnswerContext, ParsedAnswer } from '../shared/answer.ts';
import { failureOf as failureOfOpenAI } from '../shared/openai-status.ts';

/** Azure's own words (learn.microsoft.com, Azure OpenAI content filtering and troubleshooting), in OpenAI's. */
export function failureOf(response: HttpResponse, answer: ParsedAnswer, context: AnswerContext): Failure {
  const failure = failureOfOpenAI(response, answer, context);
  switch (failure.code) {
    // A deployment that is missing is, for whoever wrote the line, a model that is missing.
    case 'DeploymentNotFound':
      return { ...failure, kind: 'not_found', code: 'model_not_found', param: 'model' };
    // The prompt was blocked: the same prompt will be blocked again.
    case 'content_filter':
    case 'ResponsibleAIPolicyViolation':
      return { ...failure, kind: 'invalid_request', code: 'content_filter', type: 'invalid_request_error' };
    default:
      return failure;
  }
}
