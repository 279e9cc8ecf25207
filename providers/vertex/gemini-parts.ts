import { isFields } from '../shared/error-body.ts';
import type { GeminiPart } from './gemini.ts';
import { invalid, unsupported } from './refused.ts';

/** What a message's content may need to know. */
export interface PartContext {
  /** Buckets whose objects a request may name. */
  fileBuckets: readonly string[];
  warnings: Set<string>;
}

const audioTypes: ReadonlyMap<string, string> = new Map([
  ['wav', 'audio/wav'],
  ['mp3', 'audio/mp3'],
]);

/** The service wants a type beside every gs:// address; these are the ones it reads. */
const typesByExtension: ReadonlyMap<string, string> = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['webp', 'image/webp'],
  ['heic', 'image/heic'],
  ['heif', 'image/heif'],
  ['pdf', 'application/pdf'],
  ['txt', 'text/plain'],
  ['mp3', 'audio/mp3'],
  ['wav', 'audio/wav'],
  ['mp4', 'video/mp4'],
]);

/** The parts of a message's content: text, or a list of OpenAI's content parts. Empty texts, which Gemini refuses, go. */
export function toParts(content: unknown, at: string, context: PartContext): GeminiPart[] {
  if (content === null || content === undefined || content === '') return [];
  if (typeof content === 'string') return [{ text: content }];
  if (!Array.isArray(content)) return invalid(at, `${at} must be text or a list of content parts.`);
  return content.flatMap((part: unknown, index) => toPart(part, `${at}[${index}]`, context));
}

/** The text of a content that may hold nothing else (system messages, tool results). */
export function toText(content: unknown, at: string): string {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return invalid(at, `${at} must be text or a list of text parts.`);
  return content.map((part: unknown, index) => textOf(part, `${at}[${index}]`)).join('');
}

function textOf(part: unknown, at: string): string {
  if (isFields(part) && part.type === 'text' && typeof part.text === 'string') return part.text;
  return unsupported(at, `${at} must be a text part: nothing else can stand there for this model.`);
}

function toPart(part: unknown, at: string, context: PartContext): GeminiPart[] {
  if (!isFields(part)) return invalid(at, `${at} must be a content part.`);
  switch (part.type) {
    case 'text':
    case 'refusal': {
      const text = part[part.type];
      if (typeof text !== 'string') return invalid(at, `${at}.${part.type} must be text.`);
      return text === '' ? [] : [{ text }];
    }
    case 'image_url':
      return [imagePart(part.image_url, `${at}.image_url`, context)];
    case 'input_audio':
      return [audioPart(part.input_audio, `${at}.input_audio`)];
    case 'file':
      return [filePart(part.file, `${at}.file`, context)];
    default:
      return unsupported(`${at}.type`, `${at}: parts of type '${String(part.type)}' cannot be sent to this model.`);
  }
}

function imagePart(image: unknown, at: string, context: PartContext): GeminiPart {
  if (!isFields(image) || typeof image.url !== 'string') return invalid(`${at}.url`, `${at}.url must be text.`);
  if (image.detail === 'low' || image.detail === 'high') {
    context.warnings.add('image_url.detail was left out: the model chooses the resolution itself');
  }
  return addressedPart(image.url, `${at}.url`, context);
}

function addressedPart(url: string, at: string, context: PartContext): GeminiPart {
  if (url.startsWith('data:')) return { inlineData: readDataUrl(url, at) };
  if (url.startsWith('gs://')) return storedPart(url, at, context);
  return unsupported(
    at,
    `${at}: addresses on the web are not fetched. Send the content as a base64 data URL, or as gs:// in a bucket that file_buckets names.`,
  );
}

function storedPart(uri: string, at: string, context: PartContext): GeminiPart {
  const [, bucket = '', path = ''] = /^gs:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
  // The service reads with the operator's rights, so a request must not name any bucket it likes.
  if (!context.fileBuckets.includes(bucket)) {
    return unsupported(at, `${at}: this gs:// address is not in a bucket that file_buckets of the provider names.`);
  }
  const mimeType = typesByExtension.get(/\.([A-Za-z0-9]+)$/.exec(path)?.[1]?.toLowerCase() ?? '');
  if (mimeType === undefined) return unsupported(at, `${at}: the type of the object cannot be told from its name.`);
  return { fileData: { fileUri: uri, mimeType } };
}

function audioPart(audio: unknown, at: string): GeminiPart {
  if (!isFields(audio) || typeof audio.data !== 'string')
    return invalid(`${at}.data`, `${at}.data must be base64 text.`);
  const mimeType = audioTypes.get(String(audio.format));
  if (mimeType === undefined) return unsupported(`${at}.format`, `${at}.format must be wav or mp3.`);
  return { inlineData: { mimeType, data: readBase64(audio.data, `${at}.data`) } };
}

function filePart(file: unknown, at: string, context: PartContext): GeminiPart {
  if (!isFields(file)) return invalid(at, `${at} must be an object.`);
  if (typeof file.file_data === 'string') return addressedPart(file.file_data, `${at}.file_data`, context);
  return unsupported(`${at}.file_id`, `${at}: files by id are not known here. Send file_data as a base64 data URL.`);
}

function readDataUrl(url: string, at: string): { mimeType: string; data: string } {
  const comma = url.indexOf(',');
  const [, mimeType] = /^data:([\w.+-]+\/[\w.+-]+)(?:;[\w=.-]+)*;base64$/i.exec(url.slice(0, Math.max(comma, 0))) ?? [];
  if (mimeType === undefined) return invalid(at, `${at} must be a data URL of the form data:<type>;base64,<data>.`);
  return { mimeType: mimeType.toLowerCase(), data: readBase64(url.slice(comma + 1), at) };
}

function readBase64(data: string, at: string): string {
  if (data !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(data)) return data;
  return invalid(at, `${at} is not base64.`);
}
