import { describe, expect, it } from 'vitest';
import { nextDeliveryAt } from '../../src/core/webhook-retry.ts';
import { isPublicAddress, readWebhookUrl } from '../../src/core/webhook-url.ts';

const NONE: ReadonlySet<string> = new Set();

describe('where webhooks may go', () => {
  it.each([
    'https://example.com/hooks',
    'https://example.com:8443/a?token=1',
    'https://93.184.216.34/x',
    'https://[2606:4700::1111]/x',
    'https://hooks.example.co.uk./x',
  ])('may be %s', (text) => {
    expect(readWebhookUrl(text, NONE)).toMatchObject({ ok: true });
  });

  it.each([
    ['nothing', 'it is no URL'],
    ['//example.com/x', 'it is no URL'],
    ['http://example.com/x', 'https'],
    ['file:///etc/passwd', 'https'],
    ['gopher://example.com/x', 'https'],
    ['https://user:pass@example.com/x', 'password'],
    ['https://example.com/x#y', '#'],
    ...[
      'localhost',
      'localhost.',
      'LOCALHOST',
      'a.localhost',
      'printer.local',
      'metadata.google.internal',
      'intranet',
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '0.0.0.0',
      '10.1.2.3',
      '172.16.0.1',
      '192.168.1.1',
      '100.64.0.1',
      '169.254.169.254',
      '168.63.129.16',
      '198.18.0.1',
      '192.0.2.1',
      '224.0.0.1',
      '255.255.255.255',
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[::ffff:a9fe:a9fe]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::1]',
      '[fe80::1]',
      '[fd00:ec2::254]',
      '[fec0::1]',
      '[2001:db8::1]',
    ].map((host) => [`https://${host}/x`, 'public internet']),
  ])('may not be %s', (text, why) => {
    const read = readWebhookUrl(text as string, NONE);
    expect(read).toMatchObject({ ok: false });
    if (!read.ok) expect(read.problem).toContain(why);
  });

  it('may be what the operator allows, over http too, and nothing beside it', () => {
    const allowed = new Set(['10.0.0.7', 'hooks.local', '::1']);
    for (const url of ['http://10.0.0.7/x', 'https://HOOKS.local:9/x', 'http://[::1]:1/x']) {
      expect(readWebhookUrl(url, allowed)).toMatchObject({ ok: true });
    }
    for (const url of ['http://10.0.0.8/x', 'https://a.hooks.local/x', 'ftp://10.0.0.7/x', 'http://a@10.0.0.7/x']) {
      expect(readWebhookUrl(url, allowed)).toMatchObject({ ok: false });
    }
  });

  it('is no public address where the text is no address', () => {
    expect(isPublicAddress('8.8.8.8')).toBe(true);
    for (const text of ['', 'example.com', '8.8.8.8/8', '::g']) expect(isPublicAddress(text)).toBe(false);
  });
});

describe('tries of a delivery', () => {
  it.each([0, 0.999])('come more and more rarely for a day, with jitter %d', (unit) => {
    const tries: number[] = [];
    for (let now: number | null = 1_000; now !== null; now = nextDeliveryAt({ firstAt: 1_000, now, unit })) {
      tries.push(now);
      expect(tries.length).toBeLessThan(40);
    }
    expect((tries[1] ?? 0) - 1_000).toBeLessThanOrEqual(6);
    expect(tries.length).toBeGreaterThan(15);
    const last = (tries.at(-1) ?? 0) - 1_000;
    expect(last).toBeLessThanOrEqual(86_400);
    expect(last).toBeGreaterThan(86_400 - 8_700);
    const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(Math.max(...waits)).toBeLessThanOrEqual(8_640);
  });

  it('a clock that went back does not make them endless or immediate', () => {
    expect(nextDeliveryAt({ firstAt: 1_000, now: 900, unit: 0 })).toBe(905);
  });
});
