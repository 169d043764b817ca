/**
 * Paths of files on the server's machine: their parts, and how a shell reads them. Pure.
 *
 * They are absolute and have no `..`. A byte of a name that is not UTF-8 is one of the characters U+F780 to U+F7FF, as
 * in the server's answers.
 */

import { quoted } from "./format.js";

const BYTES = /[\uf780-\uf7ff]/;
const CONTROLS = /[\x00-\x1f\x7f-\x9f]/;
/** Characters that are not seen, or that turn the text around them: controls, and Unicode's marks of direction. */
const HIDDEN = /[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\uf780-\uf7ff]/g;
const SHIFT = 0xf700; // added to such a byte

/** What a folder has under this name. */
export function join(folder: string, name: string): string {
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

/** The folder above; that of the root is the root. */
export function above(path: string): string {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "/" : path.slice(0, end);
}

/** The last part; the root's is "/". */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1) || "/";
}

/** The path without slashes at its end; the root stays. */
export function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

/** Whether `path` is `folder` or below it. */
export function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(join(folder, ""));
}

/** `path` as a program in `folder` means it. A path that begins with `~` stays: only the server knows the home. */
export function resolve(path: string, folder: string): string {
  if (path === "~" || path.startsWith("~/")) return path;
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : join(folder, path)).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

export interface Crumb {
  readonly name: string;
  readonly path: string;
}

/** The way from `root` to `folder`, both included. A root's name is its last part. */
export function crumbs(folder: string, root: string): readonly Crumb[] {
  const found: Crumb[] = [];
  for (let path = folder; within(path, root); path = above(path)) {
    found.unshift({ name: baseName(path), path });
    if (path === root) break;
  }
  return found;
}

/**
 * The path as a word for a shell. Its bytes come out of the shell as they are: a control character or a byte that is
 * not UTF-8 is written as an escape, which sh of dash and fish do not know.
 */
export function shellWord(path: string): string {
  if (!CONTROLS.test(path) && !BYTES.test(path)) return quoted(path);
  const characters = Array.from(path, (character) => {
    if (BYTES.test(character)) return escaped([(character.codePointAt(0) ?? 0) - SHIFT]);
    if (CONTROLS.test(character)) return escaped(new TextEncoder().encode(character));
    return /['\\]/.test(character) ? `\\${character}` : character;
  });
  return `$'${characters.join("")}'`;
}

function escaped(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

/** A name as the user sees it: what would hide or turn a part of it is an escape. The page puts it into a <bdi>. */
export function readable(name: string): string {
  return name.replace(HIDDEN, (character) => {
    const code = character.charCodeAt(0) - (BYTES.test(character) ? SHIFT : 0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** What is typed into a terminal for these paths: words, and a space, so that the user can go on. */
export function shellWords(paths: readonly string[]): string {
  return paths.map((path) => `${shellWord(path)} `).join("");
}
