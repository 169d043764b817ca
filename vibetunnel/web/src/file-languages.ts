/** Which language a file has. Pure. */

// Names that the server, which goes by common endings, calls plain text.
const BY_NAME: Readonly<Record<string, string>> = {
  "cmakelists.txt": "cmake",
  gemfile: "ruby",
  gnumakefile: "makefile",
  makefile: "makefile",
  rakefile: "ruby",
};
const BY_ENDING: Readonly<Record<string, string>> = {
  cmake: "cmake",
  diff: "diff",
  mk: "makefile",
  nix: "nix",
  patch: "diff",
  proto: "protobuf",
};
const SHEBANG = /^#!\S*[/ ](?:env +(?:-S +)?)?(?<program>[a-z]+)/;
const BY_PROGRAM: Readonly<Record<string, string>> = {
  bash: "bash",
  dash: "bash",
  ksh: "bash",
  node: "javascript",
  perl: "perl",
  php: "php",
  python: "python",
  ruby: "ruby",
  sh: "bash",
  zsh: "bash",
};

/** The language of a file's text. told: the server's word for it. undefined: none that is known. */
export function languageOf(name: string, told: string, text: string): string | undefined {
  if (told !== "plaintext" && told !== "") return told;
  const small = name.toLowerCase();
  if (small.startsWith("dockerfile")) return "dockerfile";
  const ending = small.slice(small.lastIndexOf(".") + 1);
  const program = SHEBANG.exec(text)?.groups?.["program"] ?? "";
  return own(BY_NAME, small) ?? own(BY_ENDING, ending) ?? own(BY_PROGRAM, program);
}

function own(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
