/** Which words differ between a line and the one that replaces it. Pure. */

/** From and to: places in a line's text. */
export type Range = readonly [number, number];

const TOKENS = /[\p{L}\p{N}_]+|\s+|./gsu;
const LONGEST = 500; // characters of a line; a longer one has no marks
const CELLS = 40_000; // of the table in which both lines are compared
const LEAST_EQUAL = 0.3; // of the characters: below this, one line does not come from the other

/** The parts of both lines that differ; none if they have little in common. */
export function wordMarks(before: string, after: string): readonly [readonly Range[], readonly Range[]] {
  const nothing = [[], []] as const;
  if (before.length > LONGEST || after.length > LONGEST || before === after) return nothing;
  const left = before.match(TOKENS) ?? [];
  const right = after.match(TOKENS) ?? [];
  if ((left.length + 1) * (right.length + 1) > CELLS) return nothing;
  const [equalLeft, equalRight] = common(left, right);
  const equal = left.reduce((sum, token, at) => sum + (equalLeft[at] && token.trim() !== "" ? token.length : 0), 0);
  const longer = Math.max(bare(before), bare(after));
  if (longer === 0 || equal / longer < LEAST_EQUAL) return nothing;
  return [ranges(left, equalLeft), ranges(right, equalRight)];
}

function bare(text: string): number {
  return text.replace(/\s/g, "").length;
}

/** Which tokens belong to the longest common subsequence. */
function common(left: readonly string[], right: readonly string[]): readonly [boolean[], boolean[]] {
  const width = right.length + 1;
  const lengths = new Uint16Array((left.length + 1) * width);
  const length = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        left[i] === right[j] ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
    }
  }
  const found: [boolean[], boolean[]] = [left.map(() => false), right.map(() => false)];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    if (left[i] === right[j]) {
      found[0][i++] = true;
      found[1][j++] = true;
    } else if (length(i + 1, j) >= length(i, j + 1)) i++;
    else j++;
  }
  return found;
}

/** The tokens that are not equal, as places; neighbours are one range, also across a single blank. */
function ranges(tokens: readonly string[], equal: readonly boolean[]): readonly Range[] {
  const found: [number, number][] = [];
  let place = 0;
  tokens.forEach((token, at) => {
    const between = token.trim() === "" && equal[at - 1] === false && equal[at + 1] === false;
    if (!equal[at] || between) {
      const last = found.at(-1);
      if (last && last[1] === place) last[1] = place + token.length;
      else found.push([place, place + token.length]);
    }
    place += token.length;
  });
  return found;
}
