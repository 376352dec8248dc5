/** One zstd frame of raw blocks (RFC 8878, 3.1.1.2). */
export function zstdOf(bytes: Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = [Buffer.from('28b52ffda0', 'hex'), wordOf(bytes.byteLength, 4)];
  for (let at = 0; at < bytes.byteLength; at += 65_536) {
    const block = bytes.subarray(at, at + 65_536);
    const last = at + block.byteLength === bytes.byteLength ? 1 : 0;
    blocks.push(wordOf(block.byteLength * 8 + last, 3), block);
  }
  return Buffer.concat(blocks);
}

/** One zstd frame of RLE blocks: 128 KiB of zeros for each 4 bytes, and no size before it. */
export function zstdBomb(blocks: number): Uint8Array {
  const head = Buffer.from('28b52ffd0058', 'hex');
  return Buffer.concat([
    head,
    ...Array.from({ length: blocks }, (_, at) =>
      Buffer.concat([wordOf(131_072 * 8 + 2 + (at + 1 === blocks ? 1 : 0), 3), Buffer.alloc(1)]),
    ),
  ]);
}

function wordOf(value: number, length: number): Uint8Array {
  const word = Buffer.alloc(length);
  word.writeUIntLE(value, 0, length);
  return word;
}
