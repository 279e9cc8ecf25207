import type { GraderSpec } from '../../protocol/eval-grader.ts';
import { compileComposite, compileMulti } from './composite-graders.ts';
import { GradeError, type Grader } from './grader.ts';
import { compileCosine, compileLabelModel, compileScoreModel } from './judge-graders.ts';
import {
  compileContains,
  compileJsonSchema,
  compileNumeric,
  compileRegex,
  compileStringCheck,
  compileTextSimilarity,
} from './text-graders.ts';

const DEPTH_MAX = 4;

/**
 * A testing criterion, ready to grade. Throws GradeError with a sentence for its author when it cannot: a template that
 * reads nothing, a pattern or formula that cannot be read, composites that are nested too deeply.
 */
export function compileGrader(spec: GraderSpec, depth = 1): Grader {
  if (depth > DEPTH_MAX) {
    throw new GradeError('invalid_grader', `'${spec.name}': graders are nested more than ${DEPTH_MAX} levels deep`);
  }
  const inner = (child: GraderSpec): Grader => compileGrader(child, depth + 1);
  switch (spec.type) {
    case 'string_check':
      return compileStringCheck(spec);
    case 'text_similarity':
      return spec.evaluation_metric === 'cosine'
        ? compileCosine(spec)
        : compileTextSimilarity(spec, spec.evaluation_metric);
    case 'score_model':
      return compileScoreModel(spec);
    case 'label_model':
      return compileLabelModel(spec);
    case 'numeric':
      return compileNumeric(spec);
    case 'regex':
      return compileRegex(spec);
    case 'contains':
      return compileContains(spec);
    case 'json_schema':
      return compileJsonSchema(spec);
    case 'multi':
      return compileMulti(spec, inner);
    case 'all':
    case 'any':
    case 'not':
    case 'weighted':
      return compileComposite(spec, inner);
  }
}
