import { readFileSync } from 'node:fs';

/** Native TypeScript since 22.18; undici 8 asks for 22.19. */
const NODE_LEAST = '22.19.0';

/** Weir's version. */
export function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** What is wrong with a Node.js of this version (`24.1.0`), as a sentence; null when it will do. */
export function nodeProblem(nodeVersion: string): string | null {
  if (!isOlder(nodeVersion, NODE_LEAST)) return null;
  return `Weir needs Node.js ${NODE_LEAST} or newer; this is ${nodeVersion}. Inside the project, npx weir and npm run bring their own.`;
}

function isOlder(left: string, right: string): boolean {
  const [leftParts = [], rightParts = []] = [left, right].map((text) => text.split('.').map(Number.parseFloat));
  for (const [index, part] of rightParts.entries()) {
    const difference = (leftParts[index] ?? 0) - part;
    if (difference !== 0) return difference < 0;
  }
  return false;
}
