import { createHash } from 'node:crypto';
import type { DashboardAssets } from './assets.ts';

export interface DashboardPage {
  html: string;
  /** For Content-Security-Policy. */
  policy: string;
}

/**
 * The one page, the same for everyone: it holds no data. Scripts, styles and fonts come from this server alone; the
 * only inline script is the import map, allowed by its hash.
 */
export function renderPage(assets: DashboardAssets): DashboardPage {
  const url = (path: string) => `/dashboard/assets/${assets.version}/${path}`;
  const imports = Object.fromEntries([...assets.packages].map(([specifier, path]) => [specifier, url(path)]));
  const importMap = JSON.stringify({ imports });
  const hash = createHash('sha256').update(importMap).digest('base64');
  const preloads = assets.modules.map((path) => `<link rel="modulepreload" href="${url(path)}">`).join('\n');
  return {
    policy: [
      "default-src 'none'",
      `script-src 'self' 'sha256-${hash}'`,
      "style-src 'self'",
      "img-src 'self' data:",
      "font-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ].join('; '),
    html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Weir</title>
<link rel="icon" href="${url('icon.svg')}" type="image/svg+xml">
<link rel="preload" href="${url('plex-sans.woff2')}" as="font" type="font/woff2" crossorigin>
<link rel="stylesheet" href="${url('style.css')}">
<script src="${url(assets.theme)}"></script>
<script type="importmap">${importMap}</script>
${preloads}
<script type="module" src="${url(assets.main)}"></script>
</head>
<body>
<div id="app"><p class="boot" role="status">Loading…</p></div>
<noscript><p class="boot">The dashboard needs JavaScript. The API and <code>weir status</code> tell the same.</p></noscript>
</body>
</html>
`,
  };
}
