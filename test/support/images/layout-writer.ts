import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { makeImage } from './images.ts';
import { realClock } from '../clock.ts';

// A program: node layout-writer.js FOLDER NAME COUNT writes COUNT images into a layout, tagged
// NAME-0 and so on, and prints each tag. All writers write the same images, so that they compete
// for the same blobs and for index.json.
const [folder = '', name = '', count = '0'] = process.argv.slice(2);
const store = await openLayout(folder, { create: true, clock: realClock });
for (let seed = 0; seed < Number(count); seed += 1) {
  await makeImage({ seed, layers: [200_000] }).pushAll(store, `${name}-${seed}`);
  process.stdout.write(`${name}-${seed}\n`);
}
