/** Where a name is more than the model's own: regions of profiles, vendors, versions, dates. */
const AROUND: readonly RegExp[] = [
  /^.*\//,
  /^(us|eu|apac|global|us-gov|jp|au|ca)\./,
  /^(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|stability|writer|google)\./,
  /@.*$/,
  /:\d+$/,
  /-v1$/,
  /-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$/,
];

/**
 * What names of one model have in common: `us.amazon.nova-lite-v1:0` and `NovaLite`, `gpt-4o-mini` and
 * `gpt-4o-mini-2024-07-18`. Bills name models in ways of their own; what this does not bring together, the operator maps.
 */
export function modelKey(name: string): string {
  let text = name.toLowerCase();
  for (const pattern of AROUND) text = text.replace(pattern, '');
  return text.replaceAll(/[^a-z0-9]/g, '');
}
