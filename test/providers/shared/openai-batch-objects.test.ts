import { describe, expect, it } from 'vitest';
import { readBatch, readFile, readList } from '../../../providers/shared/openai-batch-object.ts';
import { asBatchFailure, isQuotaFull, progressOf } from '../../../providers/shared/openai-batch-status.ts';
import { refusal } from '../../../src/core/failure.ts';

const now = 1_800_000_000;

describe('a batch object', () => {
  function progress(fields: object, nowSeconds = now, known = {}) {
    const batch = readBatch({ id: 'b', ...fields });
    if (batch === null) throw new Error('no batch');
    return progressOf(batch, fields, ['sk-secret'], { nowMs: nowSeconds * 1000, known });
  }

  it.each([
    ['validating', 'running', null],
    ['Validating', 'running', null],
    ['in_progress', 'running', null],
    ['InProgress', 'running', null],
    ['finalizing', 'running', null],
    ['cancelling', 'running', null],
    ['awaiting_capacity', 'running', null],
    ['completed', 'ended', 'completed'],
    ['Completed', 'ended', 'completed'],
    ['expired', 'ended', 'expired'],
    ['cancelled', 'ended', 'cancelled'],
    ['canceled', 'ended', 'cancelled'],
    ['failed', 'failed', 'failed'],
    ['SUCCESS', 'ended', 'completed'],
    ['TIMEOUT_EXCEEDED', 'ended', 'expired'],
    ['CANCELLATION_REQUESTED', 'running', null],
    ['QUEUED', 'running', null],
  ])('with the status %s is %s', (status, state, reason) => {
    expect(progress({ status, output_file_id: 'f' })).toMatchObject({
      state: status === 'failed' ? 'ended' : state,
      reason,
      raw: status,
    });
    if (status === 'failed') expect(progress({ status })).toMatchObject({ state, reason });
  });

  it('is not over while its output is late, but not for ever', () => {
    const late = { status: 'completed', completed_at: now, request_counts: { total: 3, completed: 3, failed: 0 } };
    const first = progress(late, now + 60);
    expect(first).toMatchObject({ state: 'running', refs: { output_awaited_since: String(now + 60) } });
    expect(progress(late, now + 659, first.refs)).toMatchObject({ state: 'running', refs: first.refs });
    expect(progress(late, now + 660, first.refs)).toMatchObject({ state: 'ended', refs: first.refs });
    expect(progress({ ...late, output_file_id: '' }, now + 60).state).toBe('running');
    expect(progress({ ...late, output_file_id: 'f' }, now + 60, first.refs)).toMatchObject({
      state: 'ended',
      refs: { output_file_id: 'f' },
    });
    // Clocks may differ by hours, and some services write milliseconds or ISO texts.
    expect(progress({ ...late, completed_at: (now - 7_200) * 1000 }, now).state).toBe('running');
    expect(progress({ ...late, completed_at: now + 7_200 }, now + 600, { output_awaited_since: `${now}` }).state).toBe(
      'ended',
    );
    expect(progress({ ...late, completed_at: new Date(now * 1000).toISOString() }, now + 601).state).toBe('running');
    const undated = { status: 'completed', created_at: now };
    expect(progress(undated, now + 86_400).state).toBe('running');
    expect(progress(undated, now + 9 * 86_400).state).toBe('ended');
  });

  it('that has nothing to show is over at once', () => {
    const none = { total: 2, completed: 0, failed: 0 };
    expect(progress({ status: 'completed', completed_at: now, request_counts: none })).toMatchObject({
      state: 'ended',
    });
    expect(progress({ status: 'cancelled', cancelled_at: now })).toMatchObject({ state: 'ended', counts: null });
    const failed = { status: 'completed', error_file_id: 'e', request_counts: { total: 9, completed: 0, failed: 9 } };
    expect(progress(failed)).toMatchObject({ state: 'ended', refs: { error_file_id: 'e' }, counts: { failed: 9 } });
  });

  it('has no counts until they are known', () => {
    for (const counts of [
      null,
      undefined,
      {},
      { total: 0, completed: 0, failed: 0 },
      { total: null, completed: null },
    ]) {
      expect(progress({ status: 'validating', request_counts: counts }).counts).toBeNull();
    }
    expect(
      progress({ status: 'RUNNING', total_requests: 4, succeeded_requests: 1, failed_requests: 1 }).counts,
    ).toEqual({
      total: 4,
      succeeded: 1,
      failed: 1,
    });
  });

  it('that failed says which lines were to blame', () => {
    const data = [
      { code: 'invalid_json_line', message: 'not JSON (key sk-secret)', param: null, line: 3 },
      { code: 'model_not_found', message: 'no such model', param: 'body.model', line: 7 },
    ];
    const failed = progress({ status: 'failed', errors: { object: 'list', data } });
    expect(failed).toMatchObject({
      state: 'failed',
      failure: { kind: 'invalid_request', code: 'invalid_json_line' },
      lines: [
        { line: 3, failure: { kind: 'invalid_request' } },
        { line: 7, failure: { kind: 'not_found', param: 'body.model' } },
      ],
    });
    expect(JSON.stringify(failed.failure)).not.toContain('sk-secret');
  });

  it.each([
    [
      'token_limit_exceeded',
      'Enqueued token limit reached for gpt-4o in organization org-x. Limit: 900,000 enqueued tokens.',
    ],
    [null, 'Enqueued request limit reached for text-embedding-3-small. Limit: 1,000,000 enqueued requests.'],
    ['token_limit_exceeded', 'The number of enqueued tokens has surpassed the configured limit of 30K.'],
  ])('that failed with %s waits for room', (code, message) => {
    const errors = { data: [{ code, message, param: null, line: null }] };
    expect(progress({ status: 'failed', errors })).toMatchObject({ failure: { kind: 'quota_full' }, lines: [] });
  });

  it('that failed silently, with texts or with one error still has a reason', () => {
    expect(progress({ status: 'failed' }).failure).toMatchObject({ kind: 'server_error', code: 'batch_failed' });
    expect(progress({ status: 'FAILED', errors: ['it broke'] }).failure).toMatchObject({ message: 'it broke' });
    expect(progress({ status: 'FAILED', error: 'bad file' }).failure).toMatchObject({ message: 'bad file' });
    const noRights = { data: [{ code: 'input_no_permissions', message: 'no', line: null }] };
    expect(progress({ status: 'failed', errors: noRights }).failure).toMatchObject({ kind: 'permission' });
  });

  it('is none without an id or a status', () => {
    for (const json of [null, [], 'x', {}, { id: 'b' }, { status: 'completed' }, { id: '', status: 'completed' }]) {
      expect(readBatch(json)).toBeNull();
    }
    expect(readBatch({ job: { id: 'b', status: 'VALIDATING' }, warning: '' })).toMatchObject({ id: 'b' });
  });
});

describe('files and lists', () => {
  it('know our files by their names alone', () => {
    expect(readFile({ id: 'f', filename: 'weir-a-1.jsonl', bytes: 3, created_at: now })).toMatchObject({
      token: 'a-1',
      bytes: 3,
    });
    for (const filename of [
      'weir-A.jsonl',
      'weir-.jsonl',
      'x-weir-a.jsonl',
      'weir-a.jsonl.gz',
      'weir-a/../b.jsonl',
      null,
    ]) {
      expect(readFile({ id: 'f', filename })?.token).toBeNull();
    }
    expect(readFile({ filename: 'weir-a.jsonl' })).toBeNull();
  });

  it('are read in every form that lists have', () => {
    expect([readList({ data: [1] }), readList({ value: [2] }), readList([3]), readList({}), readList('x')]).toEqual([
      [1],
      [2],
      [3],
      null,
      null,
    ]);
  });
});

describe('a refusal of the service', () => {
  it.each([
    'The number of enqueued tokens has surpassed the configured limit of 30K for the deployment x.',
    'Batch limit exceeded for this account.',
    'The maximum number of files (500) for this resource has been reached.',
    'Files count quota has been exceeded.',
  ])('is a full quota: %s', (message) => {
    const failure = { ...refusal('invalid_request', 'bad', message), status: 400 };
    expect(asBatchFailure(failure).kind).toBe('quota_full');
  });

  it.each([
    'The batch input file is larger than the 209715200 maximum for the gpt-4o model.',
    'Invalid file format for Batch API. Must be .jsonl',
    'Rate limit reached for requests.',
    'File is too large.',
  ])('is none: %s', (message) => {
    expect(isQuotaFull(message)).toBe(false);
    expect(asBatchFailure({ ...refusal('invalid_request', 'bad', message), status: 400 }).kind).toBe('invalid_request');
  });

  it('of a server in trouble is never a full quota', () => {
    const failure = { ...refusal('server_error', 'token_limit_exceeded', 'enqueued'), status: 500 };
    expect(asBatchFailure(failure).kind).toBe('server_error');
  });
});
