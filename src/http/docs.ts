import type { OpenAPIHono } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { ApiError } from '../core/api-error.ts';
import type { Assets } from '../ports/assets.ts';
import type { AppEnv } from './env.ts';
import type { OpenApiDocument } from './openapi.ts';

/** The only files of swagger-ui-dist that the page needs; nothing else is served from there. */
const SWAGGER_FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

/** Everything from this server, and no inline script. Swagger UI's icons are data: images in its style sheet. */
const swaggerPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const plainPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const startScript = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
});
`;

const plainStyle = `body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code { font-size: 0.95em; } li { margin: 0.25rem 0; }
@media (prefers-color-scheme: dark) { body { background: #16181d; color: #e6e6e6; } a { color: #8ab4ff; } }
`;

/** `/docs`: Swagger UI from the installed package; without its files a plain list of the operations. */
export function registerDocs(app: OpenAPIHono<AppEnv>, assets: Assets | undefined, read: () => OpenApiDocument): void {
  app.get('/docs', async (c) => {
    const hasSwagger = assets !== undefined && (await assets.read('swagger-ui-bundle.js')) !== null;
    c.header('content-security-policy', hasSwagger ? swaggerPolicy : plainPolicy);
    return c.html(hasSwagger ? swaggerPage() : plainPage(read()));
  });
  app.get('/docs/start.js', (c) => c.body(startScript, 200, { 'content-type': 'text/javascript; charset=utf-8' }));
  app.get('/docs/plain.css', (c) => c.body(plainStyle, 200, { 'content-type': 'text/css; charset=utf-8' }));
  app.get('/docs/assets/:name', async (c) => {
    const name = SWAGGER_FILES.find((file) => file === c.req.param('name'));
    const file = name === undefined ? null : await assets?.read(name);
    if (!file) throw new ApiError(404, 'No such file. See /docs.', { code: 'not_found' });
    return c.body(new Uint8Array(file.bytes), 200, { 'content-type': file.type, 'cache-control': 'max-age=3600' });
  });
}

function swaggerPage() {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Weir API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;
}

function plainPage(document: OpenApiDocument) {
  const items = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const { summary } = operation as { summary?: string };
      return html`<li><code>${method.toUpperCase()} ${path}</code> – ${summary ?? ''}</li>\n`;
    }),
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Weir API</title>
<link rel="stylesheet" href="/docs/plain.css">
</head>
<body>
<h1>Weir API</h1>
<p>The whole description is at <a href="/openapi.json">/openapi.json</a>.</p>
<ul>
${items}</ul>
</body>
</html>
`;
}
