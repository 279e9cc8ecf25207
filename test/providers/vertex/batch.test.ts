import { describeBatchApi } from '../../contract/provider-batch.ts';
import { startBatchSubject } from './batch-subject.ts';

describeBatchApi('vertex: Gemini', () => startBatchSubject('gemini-2.5-flash'));
describeBatchApi('vertex: Claude', () => startBatchSubject('claude-haiku-4-5@20251001'));
