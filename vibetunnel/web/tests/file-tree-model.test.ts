import { expect, it } from "vitest";

import { ApiError } from "../src/api.js";
import type { Browsed, FileApi } from "../src/file-api.js";
import { FileTree } from "../src/file-tree-model.js";

interface Request {
  readonly path: string;
  readonly hidden: boolean;
  /** Let the server answer with a folder that has these files. */
  answer(...names: string[]): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A tree, and the requests for folders that wait for an answer. Marks are not answered. */
function treeWithRequests(): { tree: FileTree; take: (path: string) => Request } {
  const waiting: Request[] = [];
  const files = {
    browse: (path: string, { hidden = false, changes = false } = {}) =>
      new Promise<Browsed>((resolve, reject) => {
        if (changes) return;
        const answer = async (...names: string[]): Promise<void> => {
          const entries = names.map((name) => ({
            name,
            type: name.endsWith("/") ? ("directory" as const) : ("file" as const),
            size: 1,
            modified: "2026-01-01T00:00:00Z",
            isSymlink: false,
          }));
          resolve({
            fullPath: path,
            root: "/",
            roots: ["/"],
            writable: true,
            truncated: false,
            files: entries.map((each) => ({ ...each, name: each.name.replace("/", "") })),
            gitStatus: null,
          });
          await new Promise((done) => setTimeout(done));
        };
        const fail = async (error: Error): Promise<void> => {
          reject(error);
          await new Promise((done) => setTimeout(done));
        };
        waiting.push({ path, hidden, answer, fail });
      }),
  } as unknown as FileApi;
  const take = (path: string): Request => {
    const at = waiting.findIndex((each) => each.path === path);
    const [found] = waiting.splice(at, 1);
    if (at < 0 || !found) throw new Error(`no request for ${path}`);
    return found;
  };
  return { tree: new FileTree(files, () => undefined), take };
}

function shown(tree: FileTree): string[] {
  return tree.rows.map(({ entry, remark }) => entry?.name ?? remark);
}

async function opened(): Promise<ReturnType<typeof treeWithRequests>> {
  const made = treeWithRequests();
  void made.tree.enter("/p");
  await made.take("/p").answer("src/");
  return made;
}

it("shows a folder whose answer comes after the root was left", async () => {
  const { tree, take } = await opened();
  tree.toggle("/p/src");
  void tree.enter("/");
  await take("/").answer("p/");
  await take("/p/src").answer("a.txt");
  tree.toggle("/p");
  expect(shown(tree)).toEqual(["p", "src", "a.txt"]);
});

it("keeps what it shows while the server does not answer, and no longer if the folder is gone", async () => {
  const { tree, take } = await opened();
  void tree.refresh();
  await take("/p").fail(new ApiError(0, "The server does not answer"));
  expect(shown(tree)).toEqual(["The server does not answer", "src"]);
  void tree.refresh();
  await take("/p").fail(new ApiError(404, "Directory not found"));
  expect(shown(tree)).toEqual(["File or folder not found"]);
});

it("keeps its rows until something changes", async () => {
  const { tree, take } = await opened();
  const before = tree.rows;
  expect(tree.rows).toBe(before);
  tree.filter = "x";
  expect(shown(tree)).toEqual(["No name matches"]);
  tree.filter = "";
  tree.order = { key: "size", descending: true };
  expect(tree.rows).not.toBe(before);
  tree.toggle("/p/src");
  await take("/p/src").answer("a.txt");
  expect(shown(tree)).toEqual(["src", "a.txt"]);
  tree.toggle("/p/src");
  expect(shown(tree)).toEqual(["src"]);
});

it("shows the answer to the last request of a folder, in whichever order they come", async () => {
  const { tree, take } = await opened();
  void tree.refresh();
  void tree.refresh();
  const [first, second] = [take("/p"), take("/p")];
  await second.answer("new");
  await first.answer("old");
  expect(shown(tree)).toEqual(["new"]);
});

it("drops an answer without the hidden files that are wanted now", async () => {
  const { tree, take } = await opened();
  tree.toggle("/p/src");
  const before = take("/p/src");
  void tree.showHidden(true);
  await take("/p").answer("src/");
  await before.answer("a.txt");
  const after = take("/p/src");
  expect(after.hidden).toBe(true);
  await after.answer(".b");
  expect(shown(tree)).toEqual(["src", ".b"]);
});

it("enters a folder again if the wish for hidden files has changed meanwhile", async () => {
  const { tree, take } = await opened();
  void tree.enter("/q");
  void tree.showHidden(true);
  await take("/q").answer("a.txt");
  await take("/q").answer(".b");
  expect(shown(tree)).toEqual([".b"]);
});
