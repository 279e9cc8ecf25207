import type {
  Content,
  FunctionDeclaration,
  GenerateContentRequest,
  GenerationConfig,
  Part,
  SafetySetting,
  ToolConfig,
} from '@google-cloud/vertexai';

/** A type of the SDK with its enums as the plain words that travel. */
type Words<T> = T extends string
  ? `${T}`
  : T extends readonly (infer Item)[]
    ? Words<Item>[]
    : T extends object
      ? { [Name in keyof T]: Words<T[Name]> }
      : T;

/*
 * The wire of generateContent. Everything the SDK's types name is taken from them, so that a name or a type that changes
 * there breaks the build here; what the service knows beyond them is added (reference of GenerationConfig,
 * ThinkingConfig, FunctionDeclaration and Part).
 */
export type GeminiPart = Words<Part> & { thoughtSignature?: string };

export interface GeminiContent extends Omit<Words<Content>, 'parts' | 'role'> {
  role: 'user' | 'model';
  parts: GeminiPart[];
}

export type GeminiFunction = Pick<Words<FunctionDeclaration>, 'name' | 'description'> & {
  parameters?: object;
  parametersJsonSchema?: unknown;
};

type FunctionCalling = NonNullable<Words<ToolConfig>['functionCallingConfig']>;

export interface GeminiToolConfig {
  functionCallingConfig: Omit<FunctionCalling, 'mode'> & { mode: FunctionCalling['mode'] | 'VALIDATED' };
}

export type GeminiSafetySetting = Words<SafetySetting>;

export type GeminiGenerationConfig = Omit<Words<GenerationConfig>, 'responseSchema'> & {
  presencePenalty?: number;
  seed?: number;
  responseLogprobs?: boolean;
  logprobs?: number;
  responseSchema?: object;
  responseJsonSchema?: unknown;
  thinkingConfig?: { thinkingBudget: number } | { thinkingLevel: string };
};

/** A request without its model, which the URL or the job names. */
export interface GeminiRequest
  extends Omit<
    Words<GenerateContentRequest>,
    'contents' | 'systemInstruction' | 'tools' | 'toolConfig' | 'generationConfig' | 'safetySettings'
  > {
  contents: GeminiContent[];
  systemInstruction?: { parts: GeminiPart[] };
  tools?: { functionDeclarations: GeminiFunction[] }[];
  toolConfig?: GeminiToolConfig;
  generationConfig?: GeminiGenerationConfig;
  safetySettings?: GeminiSafetySetting[];
}
