import { isPrivateHost } from './base-url.ts';

const maxRead = 4000;
const maxKept = 1000;
const removed = '[redacted]';

/** Each removes one sort of thing that providers put into error texts and tenants must not see. */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/\bBearer\s+[\w.~+/=-]+/gi, `Bearer ${removed}`],
  [/\b(?:sk|pk|rk)-[\w*.-]{4,}/gi, removed],
  [/\b(?:gsk|xai|hf|nvapi|pplx|csk|r8|tgp|fw)[_-][\w*-]{8,}/gi, removed],
  [/\bAIza[\w-]{20,}|\bya29\.[\w.-]+|\beyJ[\w-]{10,}\.[\w.-]+|\bA[KS]IA[A-Z0-9]{16}\b/g, removed],
  [
    /\b(api[-_ ]?key|access[-_ ]?token|secret|password|authorization)(["']?\s*[:=]\s*["']?)[^\s"',;}]+/gi,
    `$1$2${removed}`,
  ],
  [/\barn:[\w-]*:[^\s"',;]+/g, removed],
  [/\b(org|proj|user|acct|sub)([-_])(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{8,}/g, `$1$2${removed}`],
  // Azure keys are 32 hexadecimal digits or 84 letters and digits; request ids have dashes and stay.
  [/\b[0-9a-f]{32,}\b|\b[A-Za-z0-9]{40,}\b/g, removed],
  [/(?<![\w/])\/(?:home|root|usr|opt|var|srv|mnt|data|tmp|etc|workspace|app|models)\/[^\s"':,;)]+/g, '[path]'],
  [/\b[A-Za-z]:\\[^\s"',;)]+/g, '[path]'],
];

const urlPattern = /\bhttps?:\/\/[^\s"'<>()[\]{}]+|\b(?:wss?|s3|gs|file|grpc):\/\/[^\s"'<>()[\]{}]+/gi;
const hostPattern =
  /\b(?:\d{1,3}(?:\.\d{1,3}){3}|localhost|[\w-]+(?:\.[\w-]+)*\.(?:internal|local|svc))(?::\d{1,5})?\b/gi;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a log or a one-line body.
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/**
 * A provider's error text as tenants may see it: one line of bounded length, without keys, account ids, internal hosts,
 * addresses and paths. `secrets` are the exact values this provider was called with.
 */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text.slice(0, maxRead).replace(controls, ' ');
  for (const secret of secrets) clean = clean.replaceAll(secret, removed);
  clean = clean.replace(urlPattern, keepPublicUrl);
  for (const [pattern, replacement] of patterns) clean = clean.replace(pattern, replacement);
  clean = clean.replace(hostPattern, '[host]').trim();
  return clean.length > maxKept ? `${clean.slice(0, maxKept).toWellFormed()}…` : clean.toWellFormed();
}

/** Links to public documentation help the reader; everything else names somebody's resources. */
function keepPublicUrl(url: string): string {
  if (!url.startsWith('https://') || !URL.canParse(url)) return '[url]';
  const { hostname, username, search, port } = new URL(url);
  const isAddress = hostname.startsWith('[') || /^[\d.]+$/.test(hostname);
  const isResource = /\.(azure\.com|windows\.net|amazonaws\.com|googleapis\.com)$/i.test(hostname);
  const isPublic = !isAddress && !isResource && !isPrivateHost(hostname) && username + search + port === '';
  return isPublic ? url : '[url]';
}
