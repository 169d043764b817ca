/** Highlights one text in a thread of its own, which the page ends if that takes too long. */

import hljs from "highlight.js/lib/core";

import { type Token, linesOf } from "./code-lines.js";
import { GRAMMARS } from "./languages.js";

export interface HighlightOrder {
  readonly text: string;
  readonly language: string;
}

/** Empty: the language is not known. */
export type Highlighted = readonly (readonly Token[])[];

addEventListener("message", (event: MessageEvent<HighlightOrder>) => {
  void highlight(event.data).then((lines) => postMessage(lines));
});

async function highlight({ text, language }: HighlightOrder): Promise<Highlighted> {
  const grammar = Object.hasOwn(GRAMMARS, language) ? GRAMMARS[language] : undefined;
  if (!grammar) return [];
  hljs.registerLanguage(language, (await grammar()).default);
  return linesOf(hljs.highlight(text, { language, ignoreIllegals: true }).value);
}
