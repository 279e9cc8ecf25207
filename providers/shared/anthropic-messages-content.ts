import { type Fields, type Mapping, refuse, refuseInvalid, warn } from './anthropic-messages-mapping.ts';
import { isFields } from './error-body.ts';

export type Block = Record<string, unknown>;

/** Media types of image blocks (Messages API reference, Base64ImageSource). */
const imageTypes: Readonly<Record<string, string>> = {
  'image/jpeg': 'image/jpeg',
  'image/jpg': 'image/jpeg',
  'image/png': 'image/png',
  'image/gif': 'image/gif',
  'image/webp': 'image/webp',
};

/** The blocks of a message's content, in order; text blocks may not be empty, so empty ones are left out. */
export function blocksOf(content: unknown, path: string, mapping: Mapping): Block[] {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  if (!Array.isArray(content)) return refuseInvalid(path, `'${path}' must be a string or a list of parts.`);
  const blocks: Block[] = [];
  content.forEach((part: unknown, index) => {
    const partPath = `${path}[${index}]`;
    if (!isFields(part)) refuseInvalid(partPath, `'${partPath}' must be an object.`);
    const block = blockOf(part, partPath, mapping);
    if (block !== null) blocks.push({ ...block, ...cacheControlOf(part, partPath, mapping) });
  });
  return blocks;
}

function blockOf(part: Fields, path: string, mapping: Mapping): Block | null {
  switch (part.type) {
    case 'text':
      return textBlock(part.text, `${path}.text`);
    case 'refusal':
      return textBlock(part.refusal, `${path}.refusal`);
    case 'image_url':
      return imageBlock(part.image_url, `${path}.image_url`, mapping);
    case 'file':
      return documentBlock(part.file, `${path}.file`, mapping);
    case 'input_audio':
      return refuse(path, `Claude does not take audio ('${path}').`);
    default:
      return refuse(path, `Parts of type ${JSON.stringify(part.type)?.slice(0, 60)} have no equivalent ('${path}').`);
  }
}

function textBlock(text: unknown, path: string): Block | null {
  if (typeof text !== 'string') return refuseInvalid(path, `'${path}' must be a string.`);
  return text === '' ? null : { type: 'text', text };
}

function imageBlock(image: unknown, path: string, mapping: Mapping): Block {
  const url = isFields(image) ? image.url : undefined;
  if (!isFields(image) || typeof url !== 'string') return refuseInvalid(path, `'${path}.url' must be a string.`);
  if (image.detail !== undefined && image.detail !== null && image.detail !== 'auto') {
    warn(mapping, 'image_url.detail was left out: Claude has no such setting');
  }
  const data = readDataUrl(url);
  if (data === null) return { type: 'image', source: urlSource(url, `${path}.url`, mapping) };
  const mediaType = imageTypes[data.mediaType];
  if (mediaType === undefined || !data.isBase64) {
    return refuse(`${path}.url`, `'${path}.url' must hold a JPEG, PNG, GIF or WebP image in base64.`);
  }
  return { type: 'image', source: { type: 'base64', media_type: mediaType, data: data.data } };
}

/** A PDF or a plain text (Messages API reference, DocumentBlockParam); the file's name becomes its title. */
function documentBlock(file: unknown, path: string, mapping: Mapping): Block {
  if (!isFields(file)) return refuseInvalid(path, `'${path}' must be an object.`);
  if (file.file_id !== undefined && file.file_id !== null) {
    return refuse(
      `${path}.file_id`,
      `'${path}.file_id' names a file that ${mapping.options.provider} does not have. Give file_data.`,
    );
  }
  const data = typeof file.file_data === 'string' ? readDataUrl(file.file_data) : null;
  const title = typeof file.filename === 'string' && file.filename !== '' ? { title: file.filename } : {};
  if (data?.mediaType === 'application/pdf' && data.isBase64) {
    return { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: data.data }, ...title };
  }
  const text = data?.mediaType === 'text/plain' ? decodeText(data) : null;
  if (text === null)
    return refuse(`${path}.file_data`, `'${path}.file_data' must be a data URL of a PDF or a plain text.`);
  return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: text }, ...title };
}

function urlSource(url: string, path: string, mapping: Mapping): Fields {
  const isHttp = /^https?:\/\//i.test(url) && URL.canParse(url);
  if (isHttp && mapping.options.fetchesUrls) return { type: 'url', url };
  const what = isHttp ? `${mapping.options.provider} does not fetch images` : 'it is neither http(s) nor a data URL';
  return refuse(path, `'${path}' cannot be used: ${what}. Give a data URL in base64.`);
}

interface DataUrl {
  mediaType: string;
  isBase64: boolean;
  data: string;
}

/** Reads `data:<type>[;parameter…][;base64],<data>` without copying the data twice; null for any other URL. */
function readDataUrl(url: string): DataUrl | null {
  if (url.slice(0, 5).toLowerCase() !== 'data:') return null;
  const comma = url.indexOf(',');
  if (comma < 0 || comma > 300) return null;
  const [mediaType = '', ...parameters] = url.slice(5, comma).toLowerCase().split(';');
  return { mediaType: mediaType.trim(), isBase64: parameters.includes('base64'), data: url.slice(comma + 1) };
}

function decodeText({ data, isBase64 }: DataUrl): string | null {
  try {
    if (!isBase64) return decodeURIComponent(data);
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * A cache breakpoint after a part, tool or message: Anthropic's own `cache_control` as it came, or OpenAI's
 * `prompt_cache_breakpoint` with the lifetime that comes nearest (5 minutes or 1 hour).
 */
export function cacheControlOf(part: Fields, path: string, mapping: Mapping): Block {
  const { cache_control: own, prompt_cache_breakpoint: breakpoint } = part;
  const isAsked = (own !== undefined && own !== null) || (breakpoint !== undefined && breakpoint !== null);
  if (!isAsked) return {};
  if (!mapping.options.caches) {
    warn(mapping, `cache breakpoints were left out: ${mapping.options.provider} takes none`);
    return {};
  }
  if (isFields(own)) return { cache_control: own };
  if (!isFields(breakpoint)) return refuseInvalid(path, `The cache breakpoint of '${path}' must be an object.`);
  if (breakpoint.ttl === '12h') warn(mapping, 'a cache breakpoint of 12h was shortened to 1h');
  const ttl = breakpoint.ttl === undefined || breakpoint.ttl === null ? {} : { ttl: '1h' };
  return { cache_control: { type: 'ephemeral', ...ttl } };
}
