import type { FailureKind } from '../../../core/failure.ts';

const REMEDIES: Partial<Record<FailureKind, string>> = {
  authentication: 'Check its api_key in the config and the environment variable behind it.',
  permission: 'The key is known but may not do this: check its project, role and allowed addresses.',
  quota_exhausted: 'The account has no credit left: top it up, or raise its limit.',
  not_found: 'Check its address in the config: most base URLs end in /v1.',
  rate_limited: 'It is asked too often right now. Try again in a minute.',
  timeout: 'It does not answer in time: check that it is up and that no firewall drops the connection.',
  connection:
    'Check its address in the config, that it is up, and that this machine may reach it (DNS, firewall, proxy).',
  bad_response: 'Something else answers at this address: check that it is an API and not a web page or a proxy.',
};

/** What to do when a provider does not answer as it should. */
export function remedyOf(kind: FailureKind): string {
  return REMEDIES[kind] ?? 'Try again; if it stays so, look at the status page or the log of the provider.';
}

/** The same for its batch service, which needs more rights and more places than single requests. */
export function batchRemedyOf(kind: FailureKind, providerKind: string): string {
  const readme = `providers/${providerKind}/README.md`;
  switch (kind) {
    case 'authentication':
      return `Check its credentials in the config and the environment variables behind them; ${readme} names them.`;
    case 'permission':
      return `Its key, role or service account may not list batches, files or the bucket: give it the rights that ${readme} asks for.`;
    case 'not_found':
      return 'Check address, region, project and bucket in the config: one of them does not exist, or has no batch service.';
    default:
      return remedyOf(kind);
  }
}
