import { testFaults } from './matrix.ts';

testFaults('upload');
