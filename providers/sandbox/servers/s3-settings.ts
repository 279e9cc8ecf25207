import { z } from 'zod';

const count = z.int().min(0);

export const callerSchema = z.strictObject({
  access_key_id: z.string().min(1),
  secret_access_key: z.string().min(1),
  session_token: z.string().min(1).nullable().default(null),
});

const settingsSchema = z.strictObject({
  bucket: z.string().min(3),
  region: z.string().min(1),
  /** Whom it lets in; null: nobody is asked. */
  caller: callerSchema.nullable(),
  /** Answered to every request whose `operation` (PutObject, UploadPart, …) is named, for so many times; null: for ever. */
  fail: z
    .strictObject({
      operation: z.string().nullable(),
      status: z.int().min(300).max(599),
      code: z.string().min(1),
      times: count.nullable(),
      /** So many matching requests succeed first. */
      after: count.default(0),
    })
    .nullable(),
  /** GetObject: how many bytes go out before the connection is cut; null: all. */
  cut_after_bytes: count.nullable(),
  /** For how many downloads. */
  cut_times: count,
  /** A cut that looks like an end: the stated length is that of the part. */
  cut_silently: z.boolean(),
  ignore_range: z.boolean(),
  /** Refuses every call, repeating the headers that it came with. */
  echo_headers: z.boolean(),
  /** Keys in one page of a listing. */
  page_size: z.int().min(1).max(1000),
});

export type S3Settings = z.infer<typeof settingsSchema>;
export type S3Options = z.input<ReturnType<typeof partialSettings>>;

function partialSettings() {
  return settingsSchema.partial();
}

const defaults: S3Settings = {
  bucket: 'sim-bucket',
  region: 'us-east-1',
  caller: null,
  fail: null,
  cut_after_bytes: null,
  cut_times: 0,
  cut_silently: false,
  ignore_range: false,
  echo_headers: false,
  page_size: 1000,
};

/** Throws zod's error for settings that cannot be used. */
export function changeS3Settings(changes: S3Options, current: S3Settings = defaults): S3Settings {
  const stated = Object.entries(partialSettings().parse(changes)).filter(([, value]) => value !== undefined);
  return { ...current, ...Object.fromEntries(stated) };
}
