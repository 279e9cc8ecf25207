import { describe, expect, it } from 'vitest';
import { signRequest } from '../../../providers/shared/sigv4.ts';

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const scope = { region: 'us-east-1', service: 'service' };
const nowMs = Date.UTC(2015, 7, 30, 12, 36, 0);

describe('Signature Version 4', () => {
  // AWS's own test suite for the algorithm.
  it.each([
    ['GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['GET', '/?Param2=value2&Param1=value1', 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500'],
    ['POST', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ])('signs %s %s as AWS does', (method, path, signature) => {
    const url = `https://example.amazonaws.com${path}`;
    const headers = signRequest({ method, url, headers: {}, body: '' }, credentials, scope, nowMs);
    expect(headers).toEqual({
      'x-amz-date': '20150830T123600Z',
      authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    });
  });

  it('signs the session token, and the body of a request to S3', () => {
    const request = {
      method: 'PUT',
      url: 'https://b.s3.amazonaws.com/a%20b',
      headers: { 'x-amz-acl': 'private' },
      body: 'text',
    };
    const headers = signRequest(request, { ...credentials, sessionToken: 't' }, { region: 'r', service: 's3' }, nowMs);
    expect(headers['x-amz-security-token']).toBe('t');
    expect(headers['x-amz-content-sha256']).toMatch(/^982d9e3eb996f559/);
    expect(headers.authorization).toContain(
      'SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-security-token,',
    );
  });
});
