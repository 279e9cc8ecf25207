import { describeBatchApi } from '../../contract/provider-batch.ts';
import { createProvider } from '../kinds.ts';
import { startBatchSubject } from './batch-subject.ts';

const secret = 'sk-canary0123456789abcdef';

describeBatchApi('openai', () =>
  startBatchSubject({
    server: {},
    secret,
    model: 'gpt-4o-mini',
    create: (server) => createProvider('openai', { base_url: server.url, api_key: secret }),
  }),
);
