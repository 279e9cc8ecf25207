import type { CallHeaders } from '../services/calls/read-call.ts';

/** What a call may say in headers, under Weir's names or Portkey's. */
export function callHeaders(header: (name: string) => string | undefined): CallHeaders {
  return {
    config: header('x-weir-config') ?? header('x-portkey-config'),
    metadata: header('x-weir-metadata') ?? header('x-portkey-metadata'),
    cache: header('x-weir-cache') ?? (header('x-portkey-cache-force-refresh') === 'true' ? 'refresh' : undefined),
  };
}

/** Of an answer in pieces. Proxies that buffer would hold the pieces back. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
};
