import { expect, test } from 'vitest';

import { makeCertificates } from '../support/http/certificates.ts';
import { FAST_SCHEDULES, runSchedules } from './slab-schedules.ts';

/** All are different, and the same in every run. */
const SCHEDULES = Number(process.env['REGI_SLAB_SCHEDULES'] ?? 10_000);

test.each([
  ['http', undefined, SCHEDULES / 4],
  // Records of TLS make more schedules.
  ['https', makeCertificates({ hosts: ['127.0.0.1'] }), SCHEDULES],
] as const)(
  'bodies arrive as they were sent over %s in every schedule',
  async (_, certificates, count) => {
    const { corrupt, freed } = await runSchedules(
      FAST_SCHEDULES,
      count - FAST_SCHEDULES,
      certificates,
    );
    expect(corrupt).toEqual([]);
    expect(freed).toBeGreaterThan((count - FAST_SCHEDULES) / 2);
  },
  600_000 + SCHEDULES * 400,
);
