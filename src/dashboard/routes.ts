import { Hono } from 'hono';
import { ApiError } from '../core/api-error.ts';
import { type DashboardAssets, readAssets } from './assets.ts';
import { type DashboardPage, renderPage } from './page.ts';

const FOR_EVER = 'public, max-age=31536000, immutable';

/**
 * `/dashboard`: one page and its files, to be mounted beside the API. It serves no data: the page signs in at
 * `/v1/session` and calls the public API as any client does.
 */
export function createDashboard(): Hono {
  const app = new Hono();
  let loaded: { assets: DashboardAssets; page: DashboardPage } | null = null;
  const load = () => {
    if (loaded === null) {
      const assets = readAssets();
      loaded = { assets, page: renderPage(assets) };
    }
    return loaded;
  };

  app.get('/assets/:version/:path{.+}', (c) => {
    const { assets } = load();
    const asset = c.req.param('version') === assets.version ? assets.files.get(c.req.param('path')) : undefined;
    if (asset === undefined) {
      throw new ApiError(404, 'No such file: the server has been updated. Load the page again.', { code: 'not_found' });
    }
    const zipped = asset.gzip !== null && /\bgzip\b/.test(c.req.header('accept-encoding') ?? '');
    return c.body(zipped && asset.gzip ? asset.gzip : asset.bytes, 200, {
      'content-type': asset.type,
      'cache-control': FOR_EVER,
      vary: 'accept-encoding',
      ...(zipped && { 'content-encoding': 'gzip' }),
    });
  });

  // Every other path is a place within the page.
  app.get('*', (c) => {
    const { assets, page } = load();
    const etag = `"${assets.version}"`;
    const headers = { 'content-security-policy': page.policy, 'cache-control': 'no-cache', etag };
    if (c.req.header('if-none-match') === etag) return c.body(null, 304, headers);
    return c.html(page.html, 200, headers);
  });
  return app;
}
