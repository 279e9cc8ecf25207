import { isFields } from '../shared/error-body.ts';
import { type Block, type Draft, warnOnce } from './draft.ts';
import { invalid, unsupported } from './refused.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Image and document formats that Converse names (service model of bedrock-runtime: ImageFormat, DocumentFormat). */
const imageFormats: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/jpg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
};
const documentFormats: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'text/csv': 'csv',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.ms-excel': 'xls',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'text/html': 'html',
  'text/plain': 'txt',
  'text/markdown': 'md',
};
const audioFormats: ReadonlySet<unknown> = new Set(['mp3', 'opus', 'wav', 'aac', 'flac', 'mp4', 'ogg', 'mkv', 'webm']);

const dataUrl = /^data:([\w.+-]+\/[\w.+-]+)((?:;[\w-]+=[^;,]*)*);base64,([A-Za-z0-9+/]*={0,2})$/;

/** The text of system, developer and tool messages: a string, or text parts. Empty texts are left out: Converse refuses them. */
export function textBlocks(content: unknown, path: string, draft: Draft): Block[] {
  return blocksOf(content, path, draft, (part, place) => {
    throw unsupported(place, `${place}: ${draft.model} takes only text here, not '${String(part.type)}'.`);
  });
}

/** A user's content: text, images, documents, audio, in their order. */
export function userBlocks(content: unknown, path: string, draft: Draft): Block[] {
  return blocksOf(content, path, draft, (part, place) => {
    switch (part.type) {
      case 'image_url':
        return imageBlock(part.image_url, place, draft);
      case 'input_audio':
        return audioBlock(part.input_audio, place, draft);
      case 'file':
        return documentBlock(part.file, place, draft);
      default:
        throw unsupported(place, `${place}: content of type '${String(part.type)}' has no equivalent at Bedrock.`);
    }
  });
}

/** An assistant's earlier content: text; a refusal is text too. */
export function assistantBlocks(content: unknown, path: string, draft: Draft): Block[] {
  return blocksOf(content, path, draft, (part, place) => {
    if (part.type === 'refusal' && typeof part.refusal === 'string') return { text: part.refusal };
    throw unsupported(place, `${place}: ${draft.model} takes only text here, not '${String(part.type)}'.`);
  });
}

function blocksOf(
  content: unknown,
  path: string,
  draft: Draft,
  other: (part: Fields, place: string) => Block,
): Block[] {
  if (content === null || content === undefined) return [];
  if (typeof content === 'string') return content.trim() === '' ? [] : [{ text: content }];
  if (!Array.isArray(content)) throw invalid(path, `${path} must be a string or a list of parts.`);
  return content.flatMap((part: unknown, index) => {
    const place = `${path}[${index}]`;
    if (!isFields(part)) throw invalid(place, `${place} must be an object with a type.`);
    const blocks = partBlocks(part, place, other);
    return blocks.length === 0 ? [] : [...blocks, ...cachePoint(part, draft)];
  });
}

function partBlocks(part: Fields, place: string, other: (part: Fields, place: string) => Block): Block[] {
  if (part.type !== 'text') return [other(part, place)];
  if (typeof part.text !== 'string') throw invalid(place, `${place}.text must be a string.`);
  return part.text.trim() === '' ? [] : [{ text: part.text }];
}

/**
 * The cache point behind a part or a message: Anthropic's `cache_control`, which OpenAI clients of many providers send, or
 * OpenAI's `prompt_cache_breakpoint`, whose lifetimes are all longer than the usual 5 minutes.
 */
export function cachePoint({ cache_control: control, prompt_cache_breakpoint: point }: Fields, draft: Draft): Block[] {
  const name = isFields(control) ? 'cache_control' : 'prompt_cache_breakpoint';
  if (!isFields(control) && !isFields(point)) return [];
  if (draft.family.cache !== true) {
    warnOnce(draft, `${name} was left out: ${draft.model} has no prompt cache`);
    return [];
  }
  const isLong = isFields(control) ? control.ttl === '1h' : isFields(point) && typeof point.ttl === 'string';
  return [{ cachePoint: { type: 'default', ...(isLong && { ttl: '1h' }) } }];
}

function imageBlock(image: unknown, place: string, draft: Draft): Block {
  const param = `${place}.image_url`;
  if (draft.family.images !== true) throw unsupported(param, `${param}: ${draft.model} does not take images.`);
  const url = isFields(image) ? image.url : image;
  if (typeof url !== 'string') throw invalid(param, `${param}.url must be a string.`);
  if (isFields(image) && (image.detail === 'low' || image.detail === 'high')) {
    warnOnce(draft, 'image_url.detail was left out: Bedrock has no such setting');
  }
  const { type, data } = readDataUrl(url, param);
  const format = imageFormats[type];
  if (format === undefined) throw unsupported(param, `${param}: Bedrock takes png, jpeg, gif and webp, not ${type}.`);
  return { image: { format, source: { bytes: data } } };
}

/** Bedrock does not fetch addresses, and neither does Weir; `s3://` would read with the operator's rights. */
function readDataUrl(url: string, param: string): { type: string; data: string } {
  const match = dataUrl.exec(url);
  if (match !== null) return { type: (match[1] ?? '').toLowerCase(), data: match[3] ?? '' };
  if (url.startsWith('data:')) throw invalid(param, `${param} must be data:<type>;base64,<data>.`);
  const message = `${param}: Bedrock does not fetch addresses. Put the content itself into the request, as data:<type>;base64,<data>.`;
  throw unsupported(param, message);
}

function audioBlock(audio: unknown, place: string, draft: Draft): Block {
  const param = `${place}.input_audio`;
  if (draft.family.audio !== true) throw unsupported(param, `${param}: ${draft.model} does not take audio.`);
  if (!isFields(audio) || typeof audio.data !== 'string') throw invalid(param, `${param}.data must be base64 text.`);
  if (!audioFormats.has(audio.format)) throw unsupported(param, `${param}.format is none that Bedrock takes.`);
  return { audio: { format: audio.format, source: { bytes: audio.data } } };
}

function documentBlock(file: unknown, place: string, draft: Draft): Block {
  const param = `${place}.file`;
  if (draft.family.documents !== true) throw unsupported(param, `${param}: ${draft.model} does not take files.`);
  if (!isFields(file) || typeof file.file_data !== 'string') {
    throw unsupported(param, `${param}: give the file itself as file_data; file ids are not known at Bedrock.`);
  }
  const { type, data } = readDataUrl(file.file_data, `${param}.file_data`);
  const format = documentFormats[type];
  if (format === undefined) throw unsupported(param, `${param}: Bedrock does not take files of type ${type}.`);
  return { document: { format, name: documentName(file.filename, place), source: { bytes: data } } };
}

/** Converse: 1–200 letters, digits, single spaces, hyphens, parentheses and brackets; unique in the request. */
function documentName(filename: unknown, place: string): string {
  const stem = typeof filename === 'string' ? filename.replace(/\.[^.]*$/, '') : '';
  const clean = stem
    .replace(/[^A-Za-z0-9()[\]-]+/g, ' ')
    .trim()
    .slice(0, 150);
  const number = place.replace(/\D+/g, ' ').trim().replace(' ', '-');
  return `${clean === '' ? 'document' : clean} ${number}`;
}
