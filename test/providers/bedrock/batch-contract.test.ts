import { describeBatchApi } from '../../contract/provider-batch.ts';
import { startBedrockSubject } from './subject.ts';

describeBatchApi('bedrock, Converse', () => startBedrockSubject('us.amazon.nova-lite-v1:0'));

describeBatchApi('bedrock, Claude', () => startBedrockSubject('us.anthropic.claude-haiku-4-5-20251001-v1:0'));
