import { afterAll } from 'vitest';

import { cleanUp } from './cleanup.ts';

// Registered here, because files that share a worker import `cleanup.ts` only once.
afterAll(cleanUp);
