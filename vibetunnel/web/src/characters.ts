/**
 * UTF-8 in pieces that end with a whole character. Of one that comes in two pieces xterm.js loses some: it takes a second
 * byte of 0x80 for none.
 */
export class WholeCharacters {
  private rest = new Uint8Array(0);

  /** What comes next does not continue the last piece. */
  clear(): void {
    this.rest = new Uint8Array(0);
  }

  /** The piece, after what was kept of the last one, without a character that is not finished. */
  take(piece: Uint8Array): Uint8Array {
    let all = piece;
    if (this.rest.length > 0) {
      all = new Uint8Array(this.rest.length + piece.length);
      all.set(this.rest);
      all.set(piece, this.rest.length);
    }
    const end = all.length - unfinished(all);
    this.rest = all.slice(end);
    return all.subarray(0, end);
  }
}

/** The number of bytes of an unfinished character at the end. */
function unfinished(data: Uint8Array): number {
  for (let n = 1; n < 4 && n <= data.length; n++) {
    const byte = data[data.length - n] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return n < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? n : 0;
  }
  return 0;
}
