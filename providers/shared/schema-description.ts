type Fields = Readonly<Record<string, unknown>>;

/** A response format's schema with the format's own description, which OpenAI shows to the model, where it has none. */
export function withDescription(schema: Fields, description: unknown): Fields {
  if (typeof description !== 'string' || description === '' || schema.description !== undefined) return schema;
  return { description, ...schema };
}
