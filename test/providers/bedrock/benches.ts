import type { Provider } from '../../../providers/contract.ts';
import {
  type LiveBedrockOptions,
  type SimulatedBedrock,
  startBedrockServer,
} from '../../../providers/sandbox/servers/bedrock.ts';
import { Bench } from '../../contract/provider-batch-setup.ts';
import { caller, providerAt } from './subject.ts';

export const nova = 'us.amazon.nova-lite-v1:0';

const none = () => {
  throw new Error('not used');
};

/** Benches of the contract suite over simulated services that a test steers itself. */
export class Benches {
  server!: SimulatedBedrock;
  readonly #open: Bench[] = [];

  async open(options: LiveBedrockOptions = {}, settings: object = {}): Promise<Bench> {
    this.server = await startBedrockServer({ caller, job_ms: 10, stop_ms: 5, ...options });
    const { server } = this;
    const provider: Provider = providerAt(server, settings);
    const simulator = { hold: none, release: none, held: none, addForeign: none, sentBytes: none, faults: {} };
    const bench = new Bench({ provider, model: nova, secret: '', linesMin: 100, simulator, stop: () => server.stop() });
    this.#open.push(bench);
    return bench;
  }

  /** Keys of the objects of the server that was opened last. */
  keys(): string[] {
    return [...this.server.s3.store.objects.keys()];
  }

  async close(): Promise<void> {
    for (const bench of this.#open.splice(0)) await bench.close();
  }
}
