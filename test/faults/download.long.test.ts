import { testFaults } from './matrix.ts';

testFaults('download');
