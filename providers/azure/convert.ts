import { parseExact } from '../../src/core/exact-json.ts';
import { refusal } from '../../src/core/failure.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted, NativeRequest } from '../contract.ts';
import { selfHostedParameters } from '../shared/foreign-parameters.ts';
import { convertToOpenAI } from '../shared/openai-convert.ts';
import type { Deployments } from './deployments.ts';

/** Azure OpenAI has no moderations; content safety is a service of its own. */
export const azureEndpoints: readonly Endpoint[] = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/responses',
];

const serviceTiers = ['auto', 'default'];

/** `body.model` becomes the deployment's name: the v1 API finds the deployment by it, the dated one ignores it. */
export function convert(line: RequestLine, model: string, provider: string, deployments: Deployments): Converted {
  const deployment = deployments.deploymentOf(model);
  if (deployment === null) {
    const message = `${provider} has no deployment for the model '${model.slice(0, 128)}'. Add it to the provider's deployments, or choose another model.`;
    return { ok: false, failure: refusal('not_found', 'model_not_found', message, 'model') };
  }
  return convertToOpenAI(line, deployment, {
    provider,
    endpoints: azureEndpoints,
    refused: selfHostedParameters,
    serviceTiers,
  });
}

/** The same request for the deployment that serves its model in batches. */
export function forBatch(request: NativeRequest, deployments: Deployments): NativeRequest {
  const { endpoint, model, body } = request;
  const deployment = deployments.batchDeploymentOf(model);
  if (deployment === model) return request;
  // `model` is the first member that convert writes, but not of a body that it forwards.
  const first = `{"model":${JSON.stringify(model)}`;
  const changed = body.startsWith(first)
    ? `{"model":${JSON.stringify(deployment)}${body.slice(first.length)}`
    : JSON.stringify({ ...(parseExact(body) as object), model: deployment });
  return { endpoint, model: deployment, body: changed };
}
