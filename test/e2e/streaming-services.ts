import { startAnthropicServer } from '../../providers/sandbox/servers/anthropic.ts';
import { startBedrockServer } from '../../providers/sandbox/servers/bedrock.ts';
import type { StreamSettings } from '../../providers/sandbox/servers/native-streams.ts';
import { startVertexServer } from '../../providers/sandbox/servers/vertex.ts';

/** A simulated service that streams in a form of its own, and how Weir is told of it. */
export interface StreamingService {
  entry: Record<string, unknown>;
  model: string;
  /** Frames before the first word, and a frame when some words have been said. */
  early: number;
  late: number;
  /** How it streams from now on. */
  stream(settings: Partial<StreamSettings>): void;
  /** Requests for an answer, whole or in pieces. */
  asked(): number;
  /** Streams that did not come to their end. */
  left(): number;
  stop(): Promise<void>;
}

export const streamingServices: Record<string, () => Promise<StreamingService>> = {
  async anthropic() {
    const server = await startAnthropicServer({ api_key: 'sk-1', usage: 'cached' });
    const model = 'claude-haiku-4-5';
    return {
      entry: { kind: 'anthropic', base_url: server.url, api_key: 'sk-1', models: [model] },
      model,
      early: 2,
      late: 6,
      stream: (settings) => server.configure({ stream: settings }),
      asked: () => server.calls.get('messages') ?? 0,
      left: () => server.streamsLeft,
      stop: () => server.stop(),
    };
  },
  'gemini on vertex': () => vertex('gemini-2.5-flash', { early: 0, late: 4 }),
  'claude on vertex': () => vertex('claude-haiku-4-5@20251001', { early: 2, late: 6 }),
  'converse on bedrock': () => bedrock('amazon.nova-lite-v1:0', { early: 1, late: 5 }),
  'claude on bedrock': () => bedrock('us.anthropic.claude-haiku-4-5-20251001-v1:0', { early: 2, late: 6 }),
};

async function bedrock(model: string, frames: { early: number; late: number }): Promise<StreamingService> {
  const caller = { access_key_id: 'AKIAEXAMPLE', secret_access_key: 'secret-of-the-caller' };
  const server = await startBedrockServer({ caller, usage: 'cached' });
  return {
    entry: { kind: 'bedrock', region: 'us-east-1', runtime_endpoint: server.url, ...caller, models: [model] },
    model,
    ...frames,
    stream: (settings) => server.configure({ stream: settings }),
    asked: () => server.counters.converse + server.counters.invoke,
    left: () => server.counters.streams_left,
    stop: () => server.stop(),
  };
}

async function vertex(model: string, frames: { early: number; late: number }): Promise<StreamingService> {
  const server = await startVertexServer({ usage: 'cached', thoughts: 5 });
  const { url, tokenUrl, credentials, counters } = server;
  const place = { project: 'sim-project', location: 'us-central1', base_url: url, token_url: tokenUrl, credentials };
  return {
    entry: { kind: 'vertex', ...place, models: [model] },
    model,
    ...frames,
    stream: (settings) => server.configure({ stream: settings }),
    asked: () => counters.answers,
    left: () => counters.streams_left,
    stop: () => server.stop(),
  };
}
