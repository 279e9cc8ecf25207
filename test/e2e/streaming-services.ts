import { startAnthropicServer } from '../../providers/sandbox/servers/anthropic.ts';
import type { StreamSettings } from '../../providers/sandbox/servers/native-streams.ts';

/** A simulated service that streams in a form of its own, and how Weir is told of it. */
export interface StreamingService {
  entry: Record<string, unknown>;
  model: string;
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
      stream: (settings) => server.configure({ stream: settings }),
      asked: () => server.calls.get('messages') ?? 0,
      left: () => server.streamsLeft,
      stop: () => server.stop(),
    };
  },
};
