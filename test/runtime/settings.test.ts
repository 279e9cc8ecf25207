import { describe, expect, it } from 'vitest';
import type { Problem } from '../../src/core/problems.ts';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import { readClientOptions, readServerOptions, readSettings } from '../../src/runtime/settings.ts';

function problems(environment: Record<string, string>): Record<string, string> {
  const read = readServerOptions(environment);
  return read.ok ? {} : Object.fromEntries(read.problems.map((problem) => [problem.path, problem.message]));
}

describe('the environment', () => {
  it('has a default for everything', () => {
    expect(readServerOptions({})).toEqual({
      ok: true,
      value: {
        host: '127.0.0.1',
        port: 8787,
        configPath: null,
        dataDir: './data',
        databaseUrl: 'file:./data/weir.db',
        databaseAuthToken: null,
        filesUrl: 'file:./data/files',
        adminKey: null,
        logLevel: 'info',
        proxies: null,
      },
    });
  });

  it('says where everything is kept by its data directory alone', () => {
    const read = readServerOptions({ WEIR_DATA_DIR: '/var/lib/weir/', WEIR_PORT: '0', WEIR_LOG_LEVEL: 'debug' });
    expect(read).toMatchObject({
      ok: true,
      value: {
        port: 0,
        databaseUrl: 'file:/var/lib/weir/weir.db',
        filesUrl: 'file:/var/lib/weir/files',
        logLevel: 'debug',
      },
    });
  });

  it('counts empty variables as not set', () => {
    expect(readServerOptions({ WEIR_PORT: '', WEIR_ADMIN_KEY: '' })).toMatchObject({
      ok: true,
      value: { port: 8787, adminKey: null },
    });
  });

  it('is refused with every problem at once and no value repeated', () => {
    const secret = 'top secret\n';
    const environment = {
      WEIR_PORT: '99999',
      WEIR_HOST: 'a b',
      WEIR_DATABASE_URL: 'postgres://user:pass@host/db',
      WEIR_DATABASE_AUTH_TOKEN: secret,
      WEIR_FILES_URL: 's3://bucket/prefix',
      WEIR_ADMIN_KEY: secret,
      WEIR_LOG_LEVEL: 'loud',
      WEIR_CONFIG: 'a\u0000b',
    };
    const found = problems(environment);
    expect(Object.keys(found).sort()).toEqual(Object.keys(environment).sort());
    for (const value of Object.values(environment)) expect(JSON.stringify(found)).not.toContain(value.trim());
    expect(found.WEIR_LOG_LEVEL).toContain('trace, debug');
  });

  it('asks for the token of a database where it belongs', () => {
    const found = problems({ WEIR_DATABASE_URL: 'https://user:pass-word@host/db' });
    expect(found.WEIR_DATABASE_URL).toContain('WEIR_DATABASE_AUTH_TOKEN');
    expect(JSON.stringify(found)).not.toContain('pass-word');
  });

  it.each(['-1', '80.5', '0x50', '65536', 'http', ' 80'])('has no port %s', (port) => {
    expect(problems({ WEIR_PORT: port }).WEIR_PORT).toContain('0 to 65535');
  });

  it('explains the variable that Kubernetes sets beside a service', () => {
    expect(problems({ WEIR_PORT: 'tcp://10.0.0.1:8787' }).WEIR_PORT).toContain('enableServiceLinks');
  });

  it('tells the command line where the server is', () => {
    expect(readClientOptions({ WEIR_URL: 'https://weir.example/', WEIR_API_KEY: 'k' })).toEqual({
      ok: true,
      value: { url: 'https://weir.example', apiKey: 'k', proxy: null },
    });
    const behind = { HTTPS_PROXY: 'http://proxy:3128', WEIR_URL: 'https://weir.example' };
    expect(readClientOptions(behind)).toMatchObject({ value: { proxy: { hostname: 'proxy', port: 3128 } } });
    expect(readClientOptions({ ...behind, NO_PROXY: 'weir.example' })).toMatchObject({ value: { proxy: null } });
    for (const WEIR_URL of ['https://weir.example/v1', 'https://weir.example/v1/']) {
      expect(readClientOptions({ WEIR_URL })).toMatchObject({ value: { url: 'https://weir.example' } });
    }
    expect(readClientOptions({})).toMatchObject({ value: { url: 'http://127.0.0.1:8787', apiKey: null } });
    expect(readClientOptions({ WEIR_URL: 'weir' }).ok).toBe(false);
  });
});

describe('settings of the config', () => {
  it('replace the defaults they name', () => {
    const found: Problem[] = [];
    const settings = readSettings({ max_file_bytes: 1_000, part_delay_ms: 0 }, ['settings'], found);
    expect(found).toEqual([]);
    expect(settings).toEqual({ ...DEFAULT_SETTINGS, maxFileBytes: 1_000, partDelayMs: 0 });
    expect(readSettings(undefined, [], found)).toEqual(DEFAULT_SETTINGS);
  });

  it('are refused with path and bound', () => {
    const found: Problem[] = [];
    const overrides = {
      maxLines: 1,
      max_line: 1,
      max_models: 70_000,
      lease_seconds: 0.5,
      segment_lines: '5',
      max_lines: null,
    };
    readSettings(overrides, ['settings'], found);
    const byPath = Object.fromEntries(found.map((problem) => [problem.path, problem.message]));
    expect(byPath['settings.maxLines']).toContain("Did you mean 'max_lines'");
    expect(byPath['settings.max_line']).toContain("'max_lines'");
    expect(byPath['settings.max_models']).toContain('65535');
    expect(Object.keys(byPath).sort()).toEqual([
      'settings.lease_seconds',
      'settings.maxLines',
      'settings.max_line',
      'settings.max_lines',
      'settings.max_models',
      'settings.segment_lines',
    ]);
  });
});
