// The cells in boxes of Ink, a row more at a time. record.py runs it.
import { readFileSync } from "node:fs";

import { Box, Text, render } from "ink";
import { createElement as h, useEffect, useState } from "react";

const cells = readFileSync(new URL("cells.txt", import.meta.url), "utf8").trimEnd().split("\n");
const rows = cells.flatMap((_, at) => (at % 3 === 0 ? [cells.slice(at, at + 3)] : [])).slice(0, 6);

function Table() {
  const [shown, show] = useState(1);
  useEffect(() => {
    if (shown === rows.length) return;
    const timer = setTimeout(() => show(shown + 1), 20);
    return () => clearTimeout(timer);
  }, [shown]);
  const cell = (text, key) =>
    h(Box, { key, flexBasis: 0, flexGrow: 1, borderStyle: "round", borderColor: "cyan" }, h(Text, { wrap: "truncate" }, text));
  return h(Box, { flexDirection: "column" }, rows.slice(0, shown).map((row, key) => h(Box, { key }, row.map(cell))));
}

render(h(Table));
