import anthropic from './anthropic.json' with { type: 'json' };
import azure from './azure.json' with { type: 'json' };
import bedrock from './bedrock.json' with { type: 'json' };
import cohere from './cohere.json' with { type: 'json' };
import deepseek from './deepseek.json' with { type: 'json' };
import groq from './groq.json' with { type: 'json' };
import mistral from './mistral.json' with { type: 'json' };
import openai from './openai.json' with { type: 'json' };
import togetherAi from './together-ai.json' with { type: 'json' };
import vertex from './vertex.json' with { type: 'json' };
import xAi from './x-ai.json' with { type: 'json' };

/** The price files that come with Weir, unchecked: `compilePrices` checks them. A price change appends a dated row. */
export const priceFiles: readonly unknown[] = [
  anthropic,
  azure,
  bedrock,
  cohere,
  deepseek,
  groq,
  mistral,
  openai,
  togetherAi,
  vertex,
  xAi,
];
