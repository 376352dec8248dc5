import { testFaults } from './matrix.ts';

testFaults('read');
