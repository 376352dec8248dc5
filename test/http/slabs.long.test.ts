import { expect, test } from 'vitest';

import { makeCertificates } from '../support/http/certificates.ts';
import { FAST_SCHEDULES, runSchedules } from './slab-schedules.ts';

/** All are different, and the same in every run. */
const SCHEDULES = Number(process.env['REGI_SLAB_SCHEDULES'] ?? 10_000);

test.each([
  ['http', undefined],
  ['https', makeCertificates({ hosts: ['127.0.0.1'] })],
] as const)(
  'bodies arrive as they were sent over %s in every schedule',
  async (_, certificates) => {
    const { corrupt, freed } = await runSchedules(
      FAST_SCHEDULES,
      SCHEDULES - FAST_SCHEDULES,
      certificates,
    );
    expect(corrupt).toEqual([]);
    expect(freed).toBeGreaterThan((SCHEDULES - FAST_SCHEDULES) / 2);
  },
  600_000 + SCHEDULES * 400,
);
