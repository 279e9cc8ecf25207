import { type Call, type Provider, ProviderError } from '../../../../providers/contract.ts';
import type { HttpClient } from '../../../ports/http-client.ts';
import { plural } from '../figures.ts';
import { checkBatch } from './batch.ts';
import { type Check, finding, reasonOf } from './check.ts';
import { remedyOf } from './remedies.ts';

const TIMEOUT_MS = 10_000;
const LIST_BYTES_MAX = 16 * 1024 ** 2;
const NAMES_SHOWN = 3;

/** Whether every server of every provider answers, knows our key, has the models of the config and the rights for batches. */
export async function checkProviders(providers: Iterable<Provider>, http: HttpClient): Promise<Check[]> {
  const checks = await Promise.all([...providers].map((provider) => checkProvider(provider, http)));
  return checks.flat();
}

async function checkProvider(provider: Provider, http: HttpClient): Promise<Check[]> {
  try {
    const members = provider.immediate?.members ?? [''];
    const [ordinary, batch] = await Promise.all([
      Promise.all(members.map((member) => checkMember(provider, member, members.length > 1, http))),
      provider.batch ? checkBatch(provider, provider.batch, http) : [],
    ]);
    return [...ordinary, ...batch];
  } finally {
    await provider.close?.();
  }
}

async function checkMember(provider: Provider, member: string, isOneOfMany: boolean, http: HttpClient): Promise<Check> {
  const { name } = provider;
  const where = isOneOfMany ? `${member}: ` : '';
  const call: Call = { http, member, timeoutMs: TIMEOUT_MS, maxResponseBytes: LIST_BYTES_MAX, nowMs: Date.now() };
  const startedAt = performance.now();
  const latency = () => ({ latencyMs: performance.now() - startedAt });
  try {
    if (provider.listModels !== undefined) {
      const served = await provider.listModels(call);
      return judgeModels(provider, where, served, latency());
    }
    if (provider.immediate?.healthy !== undefined) {
      const isHealthy = await provider.immediate.healthy(call);
      if (isHealthy) return finding(name, 'ok', `${where}healthy`, latency());
      return finding(name, 'failed', `${where}the health check fails`, {
        ...latency(),
        remedies: [remedyOf('connection')],
      });
    }
    // No harmless call proves the key of such a provider; that its address answers at all is worth knowing.
    const { status } = await http.request({ method: 'GET', url: member, headers: {}, ...limitsOf(call) });
    const detail = `${member} answers (HTTP ${status}); its key shows with the first request`;
    return finding(name, 'info', detail, latency());
  } catch (error) {
    const kind = error instanceof ProviderError ? error.failure.kind : 'connection';
    const reason = reasonOf(error).replace(`${name}: `, '');
    return finding(name, 'failed', where + reason, { ...latency(), remedies: [remedyOf(kind)] });
  }
}

function limitsOf({ timeoutMs, maxResponseBytes }: Call): { timeoutMs: number; maxResponseBytes: number } {
  return { timeoutMs, maxResponseBytes };
}

function judgeModels(provider: Provider, where: string, served: string[], latency: { latencyMs: number }): Check {
  const { name } = provider;
  const known = new Set(served);
  const missing = (provider.models ?? []).filter((model) => !known.has(model));
  const detail = `${where}${plural(served.length, 'model')}${served.length > 0 ? `: ${someOf(served)}` : ''}`;
  if (missing.length === 0 && served.length > 0) return finding(name, 'ok', detail, latency);
  const remedy =
    missing.length > 0
      ? `It does not list ${someOf(missing)}: correct \`models\` in the config, or load ${missing.length === 1 ? 'it' : 'them'}.`
      : 'It serves no model yet: load one, or name what it will serve under `models`.';
  return finding(name, 'warning', detail, { ...latency, remedies: [remedy] });
}

function someOf(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(', ');
  return names.length > NAMES_SHOWN ? `${shown}, …` : shown;
}
