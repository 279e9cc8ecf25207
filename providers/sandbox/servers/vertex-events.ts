import { isRecord } from './answer.ts';
import { textPieces } from './native-streams.ts';

type Fields = Record<string, unknown>;

/** A whole generateContent answer as the parts of its stream: each an answer with what is new. */
export function geminiEvents(answer: Fields): Fields[] {
  const { candidates, usageMetadata, ...head } = answer;
  const list = Array.isArray(candidates) ? (candidates as Fields[]) : [];
  const events: Fields[] = list
    .flatMap((candidate) => candidateEvents(candidate))
    .map((one) => ({ candidates: [one] }));
  if (events.length === 0) events.push({});
  return events.map((event, index) => {
    const isLast = index === events.length - 1;
    const usage = usageMetadata === undefined ? undefined : isLast ? usageMetadata : { trafficType: 'ON_DEMAND' };
    return { ...event, ...head, ...(usage !== undefined && { usageMetadata: usage }) };
  });
}

function candidateEvents({ content, ...end }: Fields): Fields[] {
  const { role, parts } = isRecord(content) ? content : {};
  const pieces = (Array.isArray(parts) ? (parts as Fields[]) : []).flatMap(partPieces);
  const index = end.index === undefined ? {} : { index: end.index };
  const said = pieces.map((part) => ({ ...index, content: { role, parts: [part] } }));
  const last = said.pop();
  return [...said, { ...last, ...end, ...(last === undefined && content !== undefined && { content }) }];
}

/** Texts come in pieces, calls whole. */
function partPieces(part: Fields): Fields[] {
  if (typeof part.text !== 'string') return [part];
  return textPieces(part.text).map((text) => ({ ...part, text }));
}
