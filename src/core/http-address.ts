/** Where a server listens. */
export interface HttpAddress {
  isTls: boolean;
  /** Lower case, without the brackets of an IPv6 address. */
  hostname: string;
  port: number;
}

/** Where the server of an http(s) URL listens. */
export function addressOf(url: URL): HttpAddress {
  const isTls = url.protocol === 'https:';
  return { isTls, hostname: hostOf(url), port: Number(url.port) || (isTls ? 443 : 80) };
}

/** The host of a URL as addresses and config name it: lower case, without brackets. */
export function hostOf(url: URL): string {
  return bareHost(url.hostname);
}

/** A host as `hostOf` answers it. */
export function bareHost(host: string): string {
  return host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
}
