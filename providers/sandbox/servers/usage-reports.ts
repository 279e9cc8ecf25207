import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AccountUsage } from './usage-report-pages.ts';
import { anthropicReport } from './usage-reports-anthropic.ts';
import { openaiReport } from './usage-reports-openai.ts';

/** The usage and cost APIs of OpenAI's and Anthropic's organizations, on 127.0.0.1. */
export interface UsageReports {
  readonly url: string;
  usage: AccountUsage[];
  /** Days in one page. */
  pageDays: number;
  /** The only key that is taken. */
  adminKey: string;
  /** Answers the next calls, first one first, in place of a report. */
  answers: { status: number; body: string }[];
  /** Paths that were asked for, with their queries. */
  readonly asked: string[];
  stop(): Promise<void>;
}

/** Starts them. `adminKey` is what callers must present, as a bearer token (OpenAI) or `x-api-key` (Anthropic). */
export async function startUsageReports(options: { adminKey: string; usage?: AccountUsage[] }): Promise<UsageReports> {
  const server = createServer((request, response) => answer(reports, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reports: UsageReports = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    usage: options.usage ?? [],
    pageDays: 7,
    adminKey: options.adminKey,
    answers: [],
    asked: [],
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return reports;
}

function answer(reports: UsageReports, request: IncomingMessage, response: ServerResponse): void {
  reports.asked.push(request.url ?? '/');
  const { status, body } = reports.answers.shift() ?? reportFor(reports, request);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body);
}

function reportFor(reports: UsageReports, request: IncomingMessage): { status: number; body: string } {
  const url = new URL(request.url ?? '/', reports.url);
  const isAnthropic = url.pathname.startsWith('/v1/organizations/');
  const key = isAnthropic ? request.headers['x-api-key'] : request.headers.authorization?.replace('Bearer ', '');
  if (key !== reports.adminKey) return isAnthropic ? WRONG_KEY : WRONG_SCOPE;
  const report = (isAnthropic ? anthropicReport : openaiReport)({ ...reports, url });
  return report === null ? NO_SUCH_PATH : { status: 200, body: JSON.stringify(report) };
}

const WRONG_KEY = {
  status: 401,
  body: JSON.stringify({ type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } }),
};
const WRONG_SCOPE = {
  status: 403,
  body: JSON.stringify({ error: { message: 'Missing scopes: api.usage.read', type: 'invalid_request_error' } }),
};
const NO_SUCH_PATH = {
  status: 404,
  body: JSON.stringify({ error: { message: 'Invalid URL', type: 'invalid_request_error' } }),
};
