import hljs from "highlight.js/lib/core";
import { describe, expect, it } from "vitest";

import { LONGEST, MOST_LINES, codeOf, linesOf } from "../src/code-lines.js";
import { languageOf } from "../src/file-languages.js";
import { GRAMMARS } from "../src/languages.js";

describe("lines of a text", () => {
  it.each([
    ["a\nb\n", ["a", "b"]],
    ["a\r\nb", ["a", "b"]],
    ["a\rb", ["a", "b"]],
    ["", [""]],
    ["\n", [""]],
    ["a\n\n", ["a", ""]],
  ])("%j", (text, lines) => {
    expect(codeOf(text)).toEqual({ lines, cut: "" });
  });

  it("are bounded", () => {
    expect(codeOf("\n".repeat(MOST_LINES + 1)).cut).toBe("lines");
    expect(codeOf("\n".repeat(MOST_LINES + 1)).lines).toHaveLength(MOST_LINES);
    const long = codeOf(`${"x".repeat(LONGEST + 1)}\nb`);
    expect(long.cut).toBe("characters");
    expect(long.lines.map((line) => line.length)).toEqual([LONGEST, 1]);
  });
});

describe("colours", () => {
  it("go on in the next line", () => {
    expect(linesOf('<span class="c">a\nb</span> x')).toEqual([[["c", "a"]], [["c", "b"], ["", " x"]]]);
  });

  it("are those of the innermost span", () => {
    expect(linesOf('<span class="s">a<span class="t">b</span>c</span>')).toEqual([[["s", "a"], ["t", "b"], ["s", "c"]]]);
  });

  it("leave no entity, and no markup", () => {
    expect(linesOf("&lt;b&gt; &amp;lt; &quot;&#x27;")).toEqual([[["", `<b> &lt; "'`]]]);
    expect(linesOf('<img src=x onerror="y">')).toEqual([[["", "<"], ["", 'img src=x onerror="y">']]]);
  });

  it.each(Object.keys(GRAMMARS))("of %s keep every character", async (language) => {
    const text = `/* <b>&amp; */\n"a\\n" 'x' # y\nif (a < b && c > 1) { return \`\${d}\`; }\n-- é 日本 \t\n`;
    const grammar = await GRAMMARS[language]?.();
    if (grammar) hljs.registerLanguage(language, grammar.default);
    const lines = linesOf(hljs.highlight(text, { language, ignoreIllegals: true }).value);
    expect(lines.map((line) => line.map(([, part]) => part).join("")).join("\n")).toBe(text);
  });
});

describe("the language of a file", () => {
  it.each([
    ["a.py", "python", "", "python"],
    ["Makefile", "plaintext", "", "makefile"],
    ["CMakeLists.txt", "plaintext", "", "cmake"],
    ["x.patch", "plaintext", "", "diff"],
    ["Dockerfile.dev", "plaintext", "", "dockerfile"],
    ["run", "plaintext", "#!/usr/bin/env python3\n", "python"],
    ["run", "plaintext", "#!/bin/sh\n", "bash"],
    ["notes.txt", "plaintext", "hello", undefined],
    ["constructor", "plaintext", "", undefined],
  ])("%s", (name, told, text, language) => {
    expect(languageOf(name, told, text)).toBe(language);
  });
});
