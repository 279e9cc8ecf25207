/** What the operator's config says about conversion. */
export interface ConvertSettings {
  /** The operator's name of the provider, for messages. */
  provider: string;
  profiles: Readonly<Record<string, string>>;
  defaultMaxTokens: number;
  embeddingInputType: string;
}

/** A body in the model's own form, with what was left out of it. */
export interface NativeBody {
  body: string;
  warnings: string[];
}
