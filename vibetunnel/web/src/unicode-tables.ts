/** Widths and grapheme clusters, Unicode 18.0.0: written by make_unicode.py, do not edit. */

/** Classes of code points that unicode.ts must know. */
export const REGIONAL = 9;
export const TEXT = 18;
export const EMOJI = 19;
/** Of a code point's properties: a variation selector changes its width. */
export const VS_BASE = 128;

/** For each class, the states that it joins, as bits. */
export const JOINS: readonly number[] = [4, 0, 4094, 4094, 4094, 4094, 4094, 4094, 4, 12, 20, 52, 100, 20, 20, 2308, 1156, 3588, 4094, 4094];

/** The state after a code point, by the state before it and its class. */
export const FOLLOWS: readonly (readonly number[])[] = [
  [1, 0, 0, 1, 1, 9, 1, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 1, 1],
  [1, 0, 0, 1, 1, 9, 1, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 1, 1],
  [1, 0, 0, 1, 1, 9, 1, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 1, 1],
  [1, 0, 0, 1, 1, 9, 1, 1, 2, 1, 4, 5, 6, 5, 6, 7, 1, 1, 1, 1],
  [1, 0, 0, 1, 1, 9, 1, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 1, 1],
  [1, 0, 0, 1, 1, 9, 1, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 1, 1],
  [1, 0, 0, 1, 1, 9, 1, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 1, 1],
  [1, 0, 0, 7, 7, 10, 8, 1, 2, 3, 4, 5, 6, 5, 6, 7, 7, 1, 7, 7],
  [1, 0, 0, 1, 1, 9, 1, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 1, 1],
  [1, 0, 0, 1, 9, 9, 9, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 9, 9],
  [1, 0, 0, 7, 10, 10, 11, 1, 2, 3, 4, 5, 6, 5, 6, 7, 10, 1, 10, 10],
  [1, 0, 0, 1, 9, 9, 9, 1, 2, 3, 4, 5, 6, 5, 6, 7, 1, 1, 9, 9],
];

// Runs of code points of equal properties: length and properties in base 36.
const RUNS =
  "a,8 1,0 2,8 1,0 i,8 3,1 1,3l 6,1 1,3l 5,1 a,3l 1x,1 x,8 9,1 1,59 3,1 1,5 1,59 gh,1 34,g 7n,1 7,g 7b,1 19,g 1,1 " +
  "1,g 1,1 2,g 1,1 2,g 1,1 3,g 1i,1 6,x a,1 b,g 1,1 1,8 1a,1 l,g g,1 1,g 2t,1 7,g 1,x 1,1 6,g 2,1 2,g 1,1 4,g x,1 " +
  "1,x 1,1 1,g u,1 r,g 2j,1 b,g 1m,1 9,g 9,1 1,g o,1 4,g 1,1 9,g 1,1 3,g 1,1 5,g 17,1 3,g 1g,1 2,x 5,1 9,g 16,1 " +
  "o,g 1,x w,g 1,t h,1 11,1x 1,g 1,t 1,g 1,1 3,t 8,g 4,t 1,k 2,t 1,1 7,g 8,1x 2,1 2,g k,1 8,1x 1,1 1,g 2,t h,1 " +
  "k,1x 1,1 7,1x 1,1 1,1x 3,1 4,1x 2,1 1,g 1,1 1,h 2,t 4,g 2,1 2,t 2,1 2,t 1,k 9,1 1,h 4,1 2,1x 1,1 1,1x 2,1 2,g " +
  "c,1 2,1x c,1 1,g 2,1 2,g 1,t 1k,1 1,g 1,1 3,t 2,g 4,1 2,g 2,1 3,g 3,1 1,g u,1 2,g 3,1 1,g b,1 2,g 1,t h,1 k,1x " +
  "1,1 7,1x 1,1 2,1x 1,1 5,1x 2,1 1,g 1,1 3,t 5,g 1,1 2,g 1,t 1,1 2,t 1,k k,1 2,g l,1 1,1x 6,g 1,1 1,g 2,t h,1 " +
  "k,1x 1,1 7,1x 1,1 2,1x 1,1 5,1x 2,1 1,g 1,1 1,h 1,g 1,t 4,g 2,1 2,t 2,1 2,t 1,k 5,1 4,g 1,h 4,1 2,1x 1,1 1,1x " +
  "2,1 2,g d,1 1,1x g,1 1,g 1n,1 1,h 1,t 1,g 2,t 3,1 3,t 1,1 3,t 1,g 9,1 1,h 14,1 1,g 3,t 1,g g,1 k,1x 1,1 g,1x " +
  "2,1 1,g 1,1 3,g 4,t 1,1 3,g 1,1 3,g 1,k 7,1 2,g 1,1 3,1x 7,1 2,g t,1 1,g 2,t 1k,1 1,g 1,1 1,t 1,g 1,h 1,t 1,h " +
  "2,t 1,1 1,g 2,h 1,1 2,h 2,g 7,1 2,h b,1 2,g f,1 1,t c,1 2,g 2,t h,1 12,1x 2,g 1,1 1,h 2,t 4,g 1,1 3,t 1,1 3,t " +
  "1,k 1,x 8,1 1,h a,1 2,g t,1 1,g 2,t 1y,1 1,g 4,1 1,h 2,t 3,g 1,1 1,g 1,1 7,t 1,h i,1 2,t 1p,1 1,g 1,1 1,t 7,g " +
  "c,1 8,g 2q,1 1,g 1,1 1,t 9,g b,1 7,g 21,1 2,g r,1 1,g 1,1 1,g 1,1 1,g 4,1 2,t 1d,1 e,g 1,t 5,g 1,1 2,g 5,1 b,g " +
  "1,1 10,g 9,1 1,g 1l,1 17,1x 2,1 4,g 1,t 6,g 1,1 1,k 1,g 2,t 2,g 1,1x g,1 6,1x 2,t 2,g 4,1x 3,g 1,1x 3,1 2,1x " +
  "7,1 3,1x 4,g d,1x 1,g 1,1 1,t 2,g 6,1 1,g 1,1x e,1 1,g 2q,1 2o,16 20,18 2g,1c 9p,1 3,g qa,1 3,g 1,h s,1 2,g " +
  "1,h t,1 2,g u,1 2,g c,1 1g,1x 2,g 1,t 7,g 8,t 1,g 2,t 9,g 1,k 1,g 9,1 1,g 19,1 3,g 1,8 1,g 39,1 2,g y,1 1,g " +
  "3a,1 3,g 4,t 2,g 3,t 4,1 2,t 1,g 6,t 3,g 63,1 2,g 2,t 1,g 4,1 1h,1x 1,t 1,g 1,t 7,g 1,1 1,k 1,1 1,g 2,1 8,g " +
  "6,t a,g 2,1 1,g 1c,1 1t,g f,1 4,g 1,t 6,1 2,1x 6,1 x,1x 1,g 1,h 5,g 1,h 1,g 1,h 4,t 1,g 1,h 1,l 8,1x u,1 9,g " +
  "c,1 2,g 1,t u,1x 1,t 4,g 2,t 2,g 1,h 1,k 2,g 2,1x b,1 3,1x 14,1 1,g 1,t 2,g 3,t 1,g 1,t 3,g 2,h 1c,1 8,t 8,g " +
  "2,t 2,g 48,1 3,g 1,1 d,g 1,t 7,g 4,1 1,g 6,1 1,g 2,l 1,t 2,g 5i,1 1s,g ej,1 1,8 1,c 1,o 2,8 o,1 7,8 d,1 1,59 " +
  "c,1 1,59 m,1 g,8 2o,1 x,g 1d,1 1,59 m,1 1,59 2i,1 6,59 f,1 2,59 a7,1 2,5a c,1 1,59 2,2 4k,1 1,59 p,1 4,5a 3,59 " +
  "1,5a 2,59 1,5a 4,1 3,59 5j,1 1,59 6f,1 2,59 a,1 1,59 9,1 1,59 1m,1 2,59 2,5a 1,1 5,59 9,1 1,59 2,1 1,59 2,1 " +
  "2,5a 2,1 1,59 4,1 1,59 2,1 1,59 1,1 2,59 2,1 1,59 3,1 1,59 3,1 2,59 8,2 3,59 5,1 1,59 1,1 1,59 5,1 c,5a b,1 " +
  "2,59 2,1 1,59 1,1 2,59 1,1 1,59 i,1 1,59 2,1 1,59 1,5a a,1 6,2 2,1 1,59 1,5a 4,59 1,1 1,59 1,1 2,59 3,1 1,59 " +
  "1,5a 5,1 1,59 2,1 2,5a 4,1 2,59 b,1 2,5a 5,1 2,5a 2,1 1,59 5,1 1,5a 1,59 1,1 1,59 1,1 1,59 1,5a k,1 1,59 1,5a " +
  "5,1 2,59 2,5a 1,59 1,5a 1,1 3,59 1,5a 2,1 1,5a 4,1 1,59 2,1 1,5a 2,1 2,59 2,5a 2,59 1,1 1,59 2,1 1,59 1,1 1,59 " +
  "1,1 1,59 6,1 1,59 3,1 1,59 6,1 1,5a a,1 2,59 f,1 1,59 2,1 1,59 4,1 1,5a 1,1 1,5a 4,1 3,5a 1,1 1,5a b,1 2,59 " +
  "1c,1 3,5a 9,1 1,59 e,1 1,5a e,1 1,5a ac,1 2,59 cv,1 3,59 j,1 2,5a 1f,1 1,5a 4,1 1,5a bd,1 3,g 3x,1 1,g 2o,1 " +
  "w,g 3k,1 q,2 1,1 2h,2 c,1 5y,2 q,1 1m,2 4,g 2,h 1,5a c,2 1,5a 1,2 2,1 2e,2 2,1 2,g 2t,2 5,1 17,2 1,1 1f,2 1,0 " +
  "16,2 1,1 2e,2 9,1 1c,2 1,1 14,2 8,1 1z,2 1,5a 1,2 1,5a mib,2 3,1 1j,2 bs,1 4,g 1,1 a,g w,1 2,g 28,1 2,g 7k,1 " +
  "1,g 3,1 1,g 4,1 1,g n,1 2,t 2,g 1,t 4,1 1,g 2b,1 2,t 1e,1 g,t 2,g q,1 i,g d,1 1,g 12,1 8,g p,1 b,g 1,t 1,h c,1 " +
  "t,16 3,1 3,g 1,t 5,1 3,1x 3,1 10,1x 1,g 2,t 4,g 2,t 2,g 2,t 1,l v,1 5,1x 1,g 1,1 9,1x a,1 5,1x 16,1 6,g 2,t " +
  "2,g 2,t 2,g c,1 1,g 8,1 1,g 1,t i,1 g,1x 1,1 3,1x 6,1 1,1x 1,1 1,g 1,1 2,1x 1c,1 1,g 1,1 3,g 2,1 2,g 5,1 2,g " +
  "1,1 1,g u,1 b,1x 1,t 2,g 2,t 5,1 1,t 1,k 5l,1 r,1x 8,1 2,t 1,g 2,t 1,g 2,t 1,1 1,t 1,g i,1 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m 1,1i r,1m " +
  "1,1i r,1m c,1 n,18 4,0 1d,1c 4,0 6io,1 e8,2 u,1 1,g kh,1 e,g 1,20 1,24 a,2 6,1 g,g z,2 1,1 j,2 1,1 4,2 43,1 " +
  "1,8 1,1 2o,2 1p,1 2,h 1,0 1r,1 7,2 9,1 c,8 e9,1 1,g 6a,1 1,g 45,1 5,g 1ad,1 1,1x 3,g 1,1 2,g 5,1 4,g 4,1x 1,1 " +
  "3,1x 1,1 t,1x 2,1 3,g 4,1 1,k 4l,1 2,g fx,1 4,g 1t,1 5,g 8t,1 2,g u,1 5,g w,1 g,g 1y,1 b,g 1d,1 4,g 3e,1 1,t " +
  "1,g 1,t 1h,1 f,g 15,1 1,g 2,1 2,g a,1 3,g 1,t 19,1 3,t 4,g 2,t 2,g 2,1 1,x 4,1 1,g a,1 1,x 1e,1 3,g 10,1x 5,g " +
  "1,t 6,g 1,k 1,g f,1 1,1x 2,t 1,1x 17,1 1,g c,1 2,g 1,t 1c,1 3,t 9,g 1,t 1,h 1,1 2,x 5,1 4,g 1,1 1,t 1,g 2k,1 " +
  "3,t 3,g 2,t 1,g 1,h 2,g 6,1 1,g 2,1 1,g 4d,1 1,g 3,t 8,g l,1 2,g 2,t 1j,1 2,g 1,1 1,h 1,t 1,g 4,t 2,1 2,t 2,1 " +
  "2,t 1,h 9,1 1,h a,1 2,t 2,1 7,g 3,1 5,g b,1 a,1x 1,1 1,1x 2,1 1,1x 1,1 12,1x 2,1 1,h 2,t 6,g 1,1 1,h 2,1 1,h " +
  "1,1 3,h 1,t 1,1 2,t 1,g 1,h 1,k 1,x 1,g e,1 2,g 2a,1 3,t 8,g 2,t 3,g 1,t 1,g n,1 1,g 29,1 1,h 2,t 6,g 1,t 1,g " +
  "2,t 1,h 1,t 2,g 1,t 2,g 6j,1 1,h 2,t 4,g 2,1 4,t 2,g 1,t 2,g r,1 2,g 2a,1 3,t 8,g 2,t 1,g 1,t 2,g 2y,1 1,g 1,t " +
  "1,g 2,t 6,g 1,h 1,g 2t,1 1,g 1,t 1,g 2,1 4,g 1,t 5,g 74,1 3,t 9,g 1,t 2,g 5h,1 7,1x 2,1 1,1x 2,1 8,1x 1,1 2,1x " +
  "1,1 o,1x 1,h 5,t 1,1 2,t 2,1 2,g 1,h 1,k 1,x 1,t 1,x 1,t 1,g 3x,1 3,t 4,g 2,1 2,g 4,t 1,g 3,1 1,t r,1 1,1x a,g " +
  "14,1x 6,g 1,t 1,l 4,g 8,1 1,k 8,1 1,1x 6,g 2,t 3,g 14,1x 6,x d,g 1,t 1,g 1,k 34,1 1,1x 2d,1 1,g 1,t 3,g 1,t " +
  "1,g 1,t 5j,1 1,t 7,g 1,1 6,g 1,t 1,g 2a,1 m,g 1,1 1,t 7,g 1,t 2,g 1,t 2,g 3e,1 6,g 3,1 1,g 1,1 2,g 1,1 7,g 1,x " +
  "1,g 1u,1 5,t 1,1 2,g 1,1 2,t 1,g 1,t 1,g 2g,1 1,g 1,1x 75,1 2,g 2,t 9,1 2,g 1,x 1,t d,1x 1,1 y,1x 2,t 5,g 3,1 " +
  "2,t 1,g 1,h 1,k n,1 1,g 445,1 g,8 1,g 6,1 f,g 8ug,1 c,g 3,t 3,g 1xc,1 5,g 1n,1 7,g fg,1 1,19 3,1 4,19 dg,1 1,g " +
  "1,1 1j,t 7,1 4,g 25,1 4,2 1,g b,1 2,h 5,2 9,1 5p7,2 10,1 y,2 2n,1 37,2 d,1 pe,2 e,1 1f,2 5y5,1 4,2 1,1 7,2 1,1 " +
  "2,2 1,1 89,2 9,1 1,2 t,1 3,2 2,1 1,2 e,1 5,2 7,1 b0,2 1wh,1 2,g 1,1 4,8 3mk,1 1a,g 2,1 n,g dc,1 2,g 1o,1 2,h " +
  "3,g 3,1 6,h 8,8 8,g 2,1 7,g u,1 4,g 44,1 3,g b,1 3,h 8,1 2,g 2,1 1,h w,1 2,h 3i,1 2f,2 9,1 n,2 1ah,1 1j,g 4,1 " +
  "1e,g 8,1 1,g e,1 1,g m,1 5,g 1,1 f,g 11s,1 7,g 1,1 h,g 2,1 7,g 1,1 2,g 1,1 5,g 2s,1 1,g 4g,1 7,g af,1 1,g 1p,1 " +
  "4,g e4,1 4,g 72,1 2,g 6r,1 1,g 2,1 1,g 7,1 2,g 5,1 1,g d6,1 7,g 31,1 7,g 1bt,1 1,5a 13,1 4,1p 2s,1 c,1p f,1 " +
  "2,1p f,1 1,1p e,1 1,1q 1,1p 11,1 a,1p 34,1 2,59 c,1 2,59 e,1 1,1q 2,1 a,1q j,1 1,2 1j,1p q,12 1,2 1,1q 1,5a " +
  "d,1p a,2 1,5a k,2 1,5a 2,2 5,1q 1,5a 3,1q 1,2 4,1p 9,2 7,1p 2,1q e,1p 6,2 4a,1p d,1q 3,5a 5,1q 1,5a 6,1q 1,5a " +
  "4,1q 1,59 2,1 9,59 9,1q 1,59 1t,1q 1,5a 4,1q 1,59 l,1q 1,5a 2,1 2,59 1,1 3,59 2,1 2,59 7,1q 1,5a 4,1q 3,5a " +
  "j,1q 1,5a 1,1q 1,5a 1,1q 1,5a 3,1q 1,5a 4,59 5,1q c,59 1,5a c,1q 1,5a 3,1q 2,1 1,59 1,1q 1,59 1,1 1,59 3,1q " +
  "5,1u 8,1q 1,5a c,1q 1,5a 9,1q 1,5a 6,1q 1,5a o,1q 1,59 1,1q 1,59 1,5a 3,1q 4,5a 3,1q 2,5a 4,1q 1,5a m,1q 1,5a " +
  "i,1q 1,5a 11,1q 1,5a c,1q 1,5a 2,1q 1,5a 7,1q 1,5a 3,1q 1,5a b,1q 1,5a e,1q 1,5a 4,1q 1,5a 4,1q 3,5a 3,1q 4,5a " +
  "9,1q 1,5a 1,1q 3,5a 1,1q 1,59 1,1 9,1q 1,5a 4,1q 1,5a 4,1q 2,5a 16,1q b,1 2,59 4,1q 1,1 o,5a 7,1 2,59 2,1 7,59 " +
  "1,1q c,1 1,59 2,1 4,59 2,1 1,59 4,1 2,1q d,1 1,1q 1,59 2,1 1,59 8,1 2,59 9,1 1,59 5,1 3,59 c,1 3,59 8,1 3,59 " +
  "2,1 1,59 1,1 1,59 4,1 1,59 6,1 1,59 3,1 1,59 6,1 1,59 l,1q 1,5a 1r,1q 1c,1 7,1q 1,5a 5,1q 1,5a 3,1q 1,5a 2,1q " +
  "1,5a 3,1q 1,5a k,1q 1,5a 4,1q 1,5a 6,1q 2,5a 1,1q 1,5a 9,1q 5,1 1,59 1,1q 3,59 3,1q 2,1 5,1q 2,1p 4,1q 6,59 " +
  "3,1 1,59 1,1 2,1q 3,1p 1,59 2,1 1,59 9,1q 3,1p 62,1 1,2 1,1 4,1p c,1q 4,1p 1,1q r,1 4,1p 1k,1 8,1p a,1 6,1p " +
  "14,1 8,1p u,1 2,1p c,1 4,1p 2,1 e,1p 9,1 13,1p c,1 1b,1q 1,1 a,1q 1,1 55,1q 2g,1 8,1p e,1 2,1p d,1q 3,1p 1z,1q " +
  "1,1p 1,1q 3,1p i,1q 1,1p d,1q 3,1p c,1q 5,1p 74,1 se,1p 2,1 1eke,2 2,1 1eke,2 e1oi,1 w,8 2o,g 3k,8 6o,g 2s0,8 " +
  "44jk,1 ";

const starts = new Uint32Array(2466);
const bytes = new Uint8Array(2466);
let start = 0;
for (const [at, run] of RUNS.trimEnd().split(" ").entries()) {
  const [length = "", value = ""] = run.split(",");
  starts[at] = start;
  bytes[at] = parseInt(value, 36);
  start += parseInt(length, 36);
}

/** A code point's width in bits 0 and 1, its class in bits 2 to 6, VS_BASE. */
export function properties(code: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= code) low = middle;
    else high = middle - 1;
  }
  return bytes[low] ?? 0;
}
