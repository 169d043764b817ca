import { expect, it } from "vitest";

import { WholeCharacters } from "../src/characters.js";

const TEXT = new TextEncoder().encode("aé—👩\u200d👩b");

it("ends each piece with a whole character, wherever the output was cut", () => {
  for (let first = 0; first <= TEXT.length; first++) {
    for (let second = first; second <= TEXT.length; second++) {
      const characters = new WholeCharacters();
      const pieces = [TEXT.subarray(0, first), TEXT.subarray(first, second), TEXT.subarray(second)];
      const strict = new TextDecoder("utf-8", { fatal: true });
      const shown = pieces.map((piece) => strict.decode(characters.take(piece)));
      expect(shown.join("")).toBe("aé—👩\u200d👩b");
    }
  }
});

it("forgets what was unfinished when something else is drawn", () => {
  const characters = new WholeCharacters();
  characters.take(Uint8Array.of(0xe2, 0x80));
  characters.clear();
  expect([...characters.take(Uint8Array.of(0x61))]).toEqual([0x61]);
});
