/**
 * The browser's modules as they lie in src/, with their types stripped: no build step. What is served is exactly what
 * the entry modules import, found by following their imports; nothing else of the server can be read over HTTP.
 */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE_ROOT = fileURLToPath(new URL('..', import.meta.url));
const IMPORT = /^\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]/gm;
const PACKAGE_IMPORT = /(?:from|import)\s*["']([^"'.][^"']*)["']/g;
const SOURCE_MAP = /^\/\/# sourceMappingURL=.*$/gm;

export interface Modules {
  /** Path below the assets' folder → JavaScript. Paths mirror src/, so that relative imports need no rewriting. */
  files: Map<string, string>;
  /** Bare specifier → path, for the import map. */
  packages: Map<string, string>;
}

/** Reads the entries (relative to this folder) and everything that they import. */
export function readModules(entries: readonly string[]): Modules {
  const modules: Modules = { files: new Map(), packages: new Map() };
  for (const entry of entries) addSource(modules, fileURLToPath(new URL(entry, import.meta.url)));
  return modules;
}

function addSource(modules: Modules, file: string): void {
  const path = relative(SOURCE_ROOT, file).replaceAll('\\', '/');
  if (modules.files.has(path)) return;
  const code = stripTypes(readFileSync(file, 'utf8'));
  modules.files.set(path, code);
  for (const match of code.matchAll(IMPORT)) {
    const specifier = match[1] ?? match[2] ?? '';
    if (specifier.startsWith('.')) addSource(modules, resolve(file, '..', specifier));
    else addPackage(modules, specifier);
  }
}

/** A module of an installed package, with those that it imports by name. */
function addPackage(modules: Modules, specifier: string): void {
  if (modules.packages.has(specifier)) return;
  const path = `packages/${specifier.replace('@', '')}.js`;
  modules.packages.set(specifier, path);
  const code = readFileSync(fileURLToPath(import.meta.resolve(specifier)), 'utf8').replaceAll(SOURCE_MAP, '');
  modules.files.set(path, code);
  for (const match of code.matchAll(PACKAGE_IMPORT)) addPackage(modules, match[1] ?? '');
}

/** Node calls the function experimental on standard error, once, which would be the first thing an operator reads. */
function stripTypes(code: string): string {
  const emit = process.emitWarning;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(code);
  } finally {
    process.emitWarning = emit;
  }
}
