/** The five batch services and a pool, simulated, with the config that points Weir at them. */
import type { KeyOf } from '../../providers/sandbox/servers/answered.ts';
import { type SimulatedAnthropic, startAnthropicServer } from '../../providers/sandbox/servers/anthropic.ts';
import { type SimulatedBedrock, startBedrockServer } from '../../providers/sandbox/servers/bedrock.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import {
  type SimulatedServer,
  startOpenAICompatibleServer,
} from '../../providers/sandbox/servers/openai-compatible.ts';
import { startVertexServer, type VertexServer } from '../../providers/sandbox/servers/vertex.ts';

const bedrockCaller = { access_key_id: 'AKIAFIVE', secret_access_key: 'five/secret', session_token: 'five-token' };
const anthropicKey = 'sk-ant-five';
const azureKey = 'azure-five';
const vertexBucket = 'sim-bucket';

export const chatModels = {
  openai: 'gpt-4.1-mini',
  azure: 'gpt-4o-mini',
  bedrock: 'mistral.mistral-large-3-675b-instruct',
  vertex: 'gemini-2.5-flash',
  anthropic: 'claude-haiku-4-5',
} as const;

export type ServiceName = keyof typeof chatModels;
export const serviceNames = Object.keys(chatModels) as ServiceName[];

/** Where services run that have prices by region. */
export const regions: Partial<Record<string, string>> = { bedrock: 'us-east-1' };

/** On Bedrock, Claude has a form of its own. */
export const bedrockClaude = 'global.anthropic.claude-sonnet-4-6';
export const embeddingModels = {
  openai: 'text-embedding-3-small',
  bedrock: 'amazon.titan-embed-text-v2:0',
  vertex: 'text-embedding-005',
} as const;
export const poolModel = 'llama-3.3-70b';
export const poolPrice = { input: '0.1', output: '0.4' };

export interface NativeServices {
  /** `providers` of the config: one for each service, and `pool`. */
  providers: Record<string, object>;
  pool: SimulatedServer;
  servers: Readonly<Servers>;
  /** Keeps every job from ending, or lets them go on. */
  hold(on: boolean): void;
  /** Provider batches created since the start. */
  created(): Record<ServiceName, number>;
  /** Live jobs and objects of ours that are still at a service. */
  left(): Record<ServiceName, { live: number; files: number }>;
  /** Good answers that batches and calls came to, and so billed, by `countBy`, whether anybody read them or not. */
  answered(): Record<ServiceName, ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

export interface NativeOptions {
  /** How long each job takes. */
  jobMs?: number;
  /** Usages with cached and written tokens, and with thoughts. */
  richUsage?: boolean;
  /** Bedrock's jobs call tools and follow schemas. */
  bedrockTools?: boolean;
  /** What `answered` counts by: of the body of a request, as the service was sent it. */
  countBy?: KeyOf;
}

/** Starts all of them on loopback. */
export async function startNativeServices({
  jobMs = 300,
  richUsage = false,
  bedrockTools = true,
  countBy,
}: NativeOptions = {}): Promise<NativeServices> {
  const usage = richUsage ? 'cached' : 'on';
  const counted = countBy && { count_by: countBy };
  const [openai, azure, bedrock, vertex, anthropic, pool] = await Promise.all([
    startOpenAIBatchServer({ job_ms: jobMs, answers: { usage }, ...counted }),
    startOpenAIBatchServer({
      flavour: 'azure',
      api_key: azureKey,
      models: ['my-mini-batch'],
      job_ms: jobMs,
      file_ms: 20,
      max_lines: 100_000,
      empty_ids: true,
      ...counted,
    }),
    startBedrockServer({
      caller: bedrockCaller,
      job_ms: jobMs,
      tools_in_batch: bedrockTools,
      output: { files: 2 },
      ...counted,
    }),
    startVertexServer({ job_ms: jobMs / 3, output_shards: 3, usage, thoughts: richUsage ? 9 : 0, ...counted }),
    startAnthropicServer({ api_key: anthropicKey, job_ms: jobMs, usage, ...counted }),
    startOpenAICompatibleServer({ models: [poolModel] }),
  ]);
  const servers = { openai, azure, bedrock, vertex, anthropic, pool };
  return {
    providers: providersAt(servers, bedrockTools),
    pool,
    servers,
    hold(on) {
      openai.configure({ stop_at: on ? 0 : null });
      azure.configure({ stop_at: on ? 0 : null });
      bedrock.configure({ stop_at: on ? 0 : null });
      vertex.configure({ hold_before: on ? 'JOB_STATE_SUCCEEDED' : null });
      anthropic.configure({ hold: on });
    },
    created: () => ({
      openai: openai.counters.batches_created,
      azure: azure.counters.batches_created,
      bedrock: bedrock.jobs().length,
      vertex: vertex.jobs.count,
      anthropic: anthropic.held().created,
    }),
    left: () => ({
      openai: openai.held(),
      azure: azure.held(),
      bedrock: {
        live: bedrock.jobs().filter(({ endedMs }) => endedMs === null).length,
        files: bedrock.s3.store.objects.size,
      },
      vertex: { live: vertex.jobs.live, files: vertex.store.list(vertexBucket, '').length },
      anthropic: { live: anthropic.held().live, files: anthropic.held().files },
    }),
    answered: () => ({
      openai: openai.answered,
      azure: azure.answered,
      bedrock: bedrock.answered,
      vertex: vertex.jobs.answered.counts,
      anthropic: anthropic.answered,
    }),
    async stop() {
      await Promise.all([openai, azure, bedrock, vertex, anthropic, pool].map((server) => server.stop()));
    },
  };
}

interface Servers {
  openai: SimulatedBatchServer;
  azure: SimulatedBatchServer;
  bedrock: SimulatedBedrock;
  vertex: VertexServer;
  anthropic: SimulatedAnthropic;
  pool: SimulatedServer;
}

function providersAt(
  { openai, azure, bedrock, vertex, anthropic, pool }: Servers,
  bedrockTools: boolean,
): Record<string, object> {
  return {
    openai: {
      kind: 'openai',
      base_url: openai.baseUrl,
      api_key: 'sk-five',
      models: [chatModels.openai, embeddingModels.openai],
    },
    azure: {
      kind: 'azure',
      endpoint: azure.url,
      api_key: azureKey,
      deployments: { [chatModels.azure]: 'my-mini' },
      batch_deployments: { [chatModels.azure]: 'my-mini-batch' },
    },
    bedrock: {
      kind: 'bedrock',
      region: regions.bedrock,
      ...bedrockCaller,
      role_arn: 'arn:aws:iam::123456789012:role/weir-batch',
      bucket: bedrock.s3.settings.bucket,
      models: [chatModels.bedrock, bedrockClaude, embeddingModels.bedrock],
      batch_tools: bedrockTools ? 'allow' : 'refuse',
      base_url: bedrock.url,
      runtime_endpoint: bedrock.url,
      s3_endpoint: bedrock.s3.url,
    },
    vertex: {
      kind: 'vertex',
      project: 'sim-project',
      bucket: vertexBucket,
      base_url: vertex.url,
      storage_endpoint: vertex.url,
      token_url: vertex.tokenUrl,
      credentials: vertex.credentials,
      models: [chatModels.vertex, embeddingModels.vertex],
    },
    anthropic: { kind: 'anthropic', base_url: anthropic.url, api_key: anthropicKey, models: [chatModels.anthropic] },
    pool: { kind: 'vllm', base_urls: [pool.baseUrl], models: [poolModel], price: poolPrice },
  };
}
