import { isFields } from '../shared/error-body.ts';
import { invalid, unsupported } from './refused.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Keywords that both dialects know and that hold no schema. */
const plain: ReadonlySet<string> = new Set([
  'description',
  'enum',
  'format',
  'maximum',
  'maxItems',
  'maxLength',
  'minimum',
  'minItems',
  'minLength',
  'nullable',
  'pattern',
  'required',
  'title',
]);

/** Keywords whose loss widens nothing that the model could do with them: it writes no property it was not told of. */
const leftOut: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  'additionalProperties',
  'default',
  'examples',
  'strict',
]);

/**
 * A JSON Schema in the subset of OpenAPI 3.0 that models before 2.5 take (reference of Schema). What it has no word for
 * is refused at its place.
 */
export function toOpenApiSchema(schema: unknown, at: string): object {
  if (!isFields(schema)) return invalid(at, `${at} must be a schema object.`);
  const made: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(schema)) {
    if (leftOut.has(name)) continue;
    if (plain.has(name)) made[name] = value;
    else Object.assign(made, toKeyword(name, value, at));
  }
  return made;
}

function toKeyword(name: string, value: unknown, at: string): Fields {
  switch (name) {
    case 'type':
      return toType(value, at);
    case 'const':
      if (typeof value === 'string') return { enum: [value], type: 'string' };
      break;
    case 'items':
      return { items: toOpenApiSchema(value, `${at}.items`) };
    case 'anyOf':
    case 'oneOf':
      if (!Array.isArray(value)) break;
      return { anyOf: value.map((one: unknown, index) => toOpenApiSchema(one, `${at}.${name}[${index}]`)) };
    case 'properties': {
      if (!isFields(value)) break;
      const entries = Object.entries(value);
      return {
        properties: Object.fromEntries(
          entries.map(([key, one]) => [key, toOpenApiSchema(one, `${at}.properties.${key}`)]),
        ),
      };
    }
  }
  return unsupported(
    `${at}.${name}`,
    `${at}.${name}: this model's schemas have no such keyword. Models from 2.5 on do.`,
  );
}

/** `["string", "null"]` is what OpenAPI 3.0 calls nullable. */
function toType(type: unknown, at: string): Fields {
  if (typeof type === 'string') return { type };
  const types = Array.isArray(type) ? type.filter((one) => one !== 'null') : [];
  if (types.length === 1 && Array.isArray(type)) {
    return { type: types[0], ...(type.length > 1 && { nullable: true }) };
  }
  return unsupported(`${at}.type`, `${at}.type: this model takes one type and null, not several.`);
}
