#!/usr/bin/env -S node --max-semi-space-size=16
// Plain JavaScript, so that a Node.js that cannot read TypeScript can still say so.
try {
  await import('../cli.ts');
} catch (error) {
  if (error?.code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
  process.stderr.write(
    `weir: this Node.js (${process.versions.node}) is too old to read TypeScript. ` +
      'Inside the project, npx weir and npm run bring a newer one; elsewhere, install Node.js 24.\n',
  );
  process.exitCode = 3;
}
