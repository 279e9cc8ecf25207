#!/usr/bin/env node
import { main } from './cli/main.ts';
import { processTerminal } from './cli/terminal.ts';
import { nodeProblem } from './cli/version.ts';

const LEFTOVER_MS = 1_000;

const problem = nodeProblem(process.versions.node);
if (problem === null) {
  process.exitCode = await main(process.argv.slice(2), processTerminal());
  // What a failed start may have left open must not keep the process.
  setTimeout(() => process.exit(), LEFTOVER_MS).unref();
} else {
  process.stderr.write(`weir: ${problem}\n`);
  process.exitCode = 3;
}
