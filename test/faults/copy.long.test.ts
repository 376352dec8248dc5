import { testFaults } from './matrix.ts';

testFaults('copy');
