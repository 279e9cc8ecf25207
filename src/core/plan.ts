/**
 * The plan of an input file: one fixed-size record per physical line, written while the file streams in, so that
 * any range of lines can be found later without reading the file before it.
 *
 * Record, 16 bytes, little-endian: offset u48 · length u32 · model u16 · endpoint u8 · flags u8 · reserved u16.
 * `offset` and `length` frame the line without its line end. `model` and `endpoint` index the tables of the summary.
 */
import type { BatchError } from '../protocol/batch.ts';
import type { Endpoint } from '../protocol/endpoint.ts';

export const PLAN_RECORD_BYTES = 16;

export const LINE_BLANK = 1;
export const LINE_INVALID = 2;

export interface PlanRecord {
  offset: number;
  length: number;
  model: number;
  endpoint: number;
  flags: number;
}

/** What the whole file holds; kept on the file's row. Counts are of lines that are neither blank nor invalid. */
export interface PlanSummary {
  /** Physical lines, blank ones included: the plan holds this many records. */
  lines: number;
  requests: number;
  models: { name: string; count: number }[];
  /** `firstLine` is 1-based: the first line that names the endpoint. */
  endpoints: { endpoint: Endpoint; count: number; firstLine: number }[];
  /** The first findings, by line; `errorCount` counts all of them. */
  errors: BatchError[];
  errorCount: number;
}

/** Writes `record` at index `index` of `view`. */
export function writePlanRecord(view: DataView, index: number, record: PlanRecord): void {
  const at = index * PLAN_RECORD_BYTES;
  view.setUint32(at, record.offset % 0x1_0000_0000, true);
  view.setUint16(at + 4, Math.floor(record.offset / 0x1_0000_0000), true);
  view.setUint32(at + 6, record.length, true);
  view.setUint16(at + 10, record.model, true);
  view.setUint8(at + 12, record.endpoint);
  view.setUint8(at + 13, record.flags);
  view.setUint16(at + 14, 0, true);
}

/** Reads the record at index `index` of `view`. */
export function readPlanRecord(view: DataView, index: number): PlanRecord {
  const at = index * PLAN_RECORD_BYTES;
  return {
    offset: planOffset(view, index),
    length: planLength(view, index),
    model: view.getUint16(at + 10, true),
    endpoint: view.getUint8(at + 12),
    flags: view.getUint8(at + 13),
  };
}

export function planOffset(view: DataView, index: number): number {
  const at = index * PLAN_RECORD_BYTES;
  return view.getUint32(at, true) + view.getUint16(at + 4, true) * 0x1_0000_0000;
}

export function planLength(view: DataView, index: number): number {
  return view.getUint32(index * PLAN_RECORD_BYTES + 6, true);
}

/** Whether a record is that of a request: its line is neither blank nor invalid. */
export function isRequest(view: DataView, index: number): boolean {
  return (view.getUint8(index * PLAN_RECORD_BYTES + 13) & (LINE_BLANK | LINE_INVALID)) === 0;
}
