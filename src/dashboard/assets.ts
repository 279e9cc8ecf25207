import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readModules } from './modules.ts';

/** The page's script, and what must run before the first paint. */
const MAIN = 'client/main.ts';
const THEME = 'client/theme.ts';
const STYLES = ['tokens', 'base', 'layout', 'parts', 'tables', 'charts', 'pages'];
/** Latin, with accents of most languages written in it; other scripts fall back to the system's own. */
const FONTS: Record<string, string> = {
  'plex-sans.woff2': import.meta.resolve(
    '@fontsource-variable/ibm-plex-sans/files/ibm-plex-sans-latin-wght-normal.woff2',
  ),
  'plex-sans-ext.woff2': import.meta.resolve(
    '@fontsource-variable/ibm-plex-sans/files/ibm-plex-sans-latin-ext-wght-normal.woff2',
  ),
  'plex-mono.woff2': import.meta.resolve('@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-400-normal.woff2'),
};

export interface Asset {
  bytes: Uint8Array<ArrayBuffer>;
  /** The same, compressed; null where that gains nothing. */
  gzip: Uint8Array<ArrayBuffer> | null;
  type: string;
}

export interface DashboardAssets {
  /** By path below `/dashboard/assets/<version>/`. */
  files: ReadonlyMap<string, Asset>;
  /** Changes with any byte of any file, so that browsers may keep files for ever. */
  version: string;
  main: string;
  theme: string;
  /** Modules that the main one needs, for preloading. */
  modules: string[];
  /** Bare specifier → path. */
  packages: ReadonlyMap<string, string>;
}

/** Reads, strips and compresses every file of the dashboard: some ten milliseconds, once per process. */
export function readAssets(): DashboardAssets {
  const { files: modules, packages } = readModules([MAIN, THEME]);
  const files = new Map<string, Asset>();
  for (const [path, code] of modules) files.set(path, toAsset(Buffer.from(code), 'text/javascript; charset=utf-8'));
  const style = STYLES.map((name) => readText(`style/${name}.css`)).join('\n');
  files.set('style.css', toAsset(Buffer.from(style), 'text/css; charset=utf-8'));
  files.set('icon.svg', toAsset(Buffer.from(readText('style/icon.svg')), 'image/svg+xml'));
  for (const [name, url] of Object.entries(FONTS)) {
    const bytes = new Uint8Array(readFileSync(fileURLToPath(url)));
    files.set(name, { bytes, gzip: null, type: 'font/woff2' });
  }
  const hash = createHash('sha256');
  for (const [path, { bytes }] of files) hash.update(path).update(bytes);
  const paths = [...modules.keys()];
  return {
    files,
    version: hash.digest('hex').slice(0, 16),
    main: `dashboard/${MAIN}`,
    theme: `dashboard/${THEME}`,
    modules: paths.filter((path) => path !== `dashboard/${THEME}`),
    packages,
  };
}

function readText(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}

function toAsset(bytes: Buffer, type: string): Asset {
  return { bytes: new Uint8Array(bytes), gzip: new Uint8Array(gzipSync(bytes, { level: 9 })), type };
}
