import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Provider } from '../../providers/contract.ts';
import { createProvider } from '../providers/kinds.ts';

/** A server with OpenAI's /v1/models and nothing else; the list and the status can change while it runs. */
export interface ModelServer {
  url: string;
  models: string[];
  status: number;
  asked: number;
  close(): Promise<void>;
}

export async function startModelServer(models: string[]): Promise<ModelServer> {
  const server = createServer((_request, response) => {
    running.asked += 1;
    response.writeHead(running.status, { 'content-type': 'application/json', connection: 'close' });
    const data = running.models.map((id) => ({ id, object: 'model', created: 0, owned_by: 'x' }));
    response.end(JSON.stringify(running.status === 200 ? { object: 'list', data } : { error: { message: 'no' } }));
  });
  const running: ModelServer = {
    url: '',
    models,
    status: 200,
    asked: 0,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return running;
}

/** A provider of the registry, made from its config entry. */
export function makeProvider(name: string, entry: { kind: string } & Record<string, unknown>): [string, Provider] {
  return [name, createProvider(entry.kind, entry, name)];
}
