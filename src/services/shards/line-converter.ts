import type { Converted, Provider } from '../../../providers/contract.ts';
import { parseExact } from '../../core/exact-json.ts';
import type { Unfit } from '../../core/healing.ts';
import type { Candidate } from '../../core/lane.ts';
import { requestFor } from '../../core/request-for.ts';
import { type Form, fillForm, formOf, holdsMark } from '../../core/request-frame.ts';
import type { FrameShape, RequestLine } from '../../protocol/request-line.ts';

/** What became of a shape. */
interface ConvertedShape {
  form: Form;
  converted: Extract<Converted, { ok: true }>;
}

/**
 * Converts lines for one target. What was made of one line serves all others of its shape, so that their texts are neither
 * parsed nor written: what a text says decides nothing in a conversion, but for being blank or ending in white space, which
 * its shape tells (core/request-frame.ts).
 */
export class LineConverter {
  readonly #provider: Pick<Provider, 'convert'>;
  readonly #candidate: Pick<Candidate, 'model' | 'params' | 'healing'>;
  /** null: each line of the shape is to be converted by itself. */
  readonly #converted = new WeakMap<FrameShape, ConvertedShape | null>();

  constructor(provider: Pick<Provider, 'convert'>, candidate: Pick<Candidate, 'model' | 'params' | 'healing'>) {
    this.#provider = provider;
    this.#candidate = candidate;
  }

  /** A line in the provider's form, or why it has none. `unfit`: its answers that were not taken. */
  convert(request: RequestLine, unfit: readonly Unfit[] = []): Converted {
    const { frame } = request;
    if (frame === undefined || unfit.length > 0) return this.#convert(request, request.body, unfit);
    let shape = this.#converted.get(frame.shape);
    if (shape === undefined) {
      shape = this.#convertShape(request, frame.shape);
      this.#converted.set(frame.shape, shape);
    }
    if (shape === null) return this.#convert(request, request.body);
    const { form, converted } = shape;
    const body = fillForm(form, frame.texts);
    return { ok: true, request: { ...converted.request, body, alike: form }, warnings: [...converted.warnings] };
  }

  #convertShape(request: RequestLine, shape: FrameShape): ConvertedShape | null {
    const converted = this.#convert(request, parseExact(shape.json) as RequestLine['body']);
    if (!converted.ok || converted.warnings.some(holdsMark)) return null;
    const form = formOf(converted.request.body, shape);
    return form === null ? null : { form, converted };
  }

  #convert({ customId, endpoint }: RequestLine, body: RequestLine['body'], unfit: readonly Unfit[] = []): Converted {
    const request = requestFor({ customId, endpoint, body }, this.#candidate, unfit);
    return this.#provider.convert(request, this.#candidate.model);
  }
}
