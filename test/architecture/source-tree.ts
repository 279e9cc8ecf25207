import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface SourceFile {
  /** Relative to the project, with forward slashes. */
  path: string;
  text: string;
  /** What it imports from the project (paths) and from elsewhere (specifiers); `typeOnly` imports vanish at run time. */
  imports: { target: string; local: boolean; typeOnly: boolean }[];
}

const IMPORT = /^\s*(?:import|export)\s+(type\s)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** Every TypeScript file below `folders`, with its imports. */
export function readSources(...folders: string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readSource(join(ROOT, folder, name))),
  );
}

function readSource(file: string): SourceFile {
  const text = readFileSync(file, 'utf8');
  const found = [
    ...[...text.matchAll(IMPORT)].map((match) => ({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined })),
    ...[...text.matchAll(DYNAMIC)].map((match) => ({ specifier: match[1] ?? '', typeOnly: false })),
  ];
  return {
    path: toPath(file),
    text,
    imports: found.map(({ specifier, typeOnly }) => {
      const local = specifier.startsWith('.');
      return { target: local ? toPath(resolve(dirname(file), specifier)) : specifier, local, typeOnly };
    }),
  };
}

function toPath(file: string): string {
  return relative(ROOT, file).replaceAll('\\', '/');
}

/** The text without comments, strings kept: what the purity rules look at. */
export function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}
