/** The files that a user drops or chooses, folders with what is in them. */

import type { Chosen } from "./pieces.js";

const MOST = 2_000; // files of one drop

export interface Dropped {
  readonly chosen: readonly Chosen[];
  /** About what was left out; empty: nothing was. */
  readonly remark: string;
}

/** Whether a drag brings files; which ones, the browser tells only at the drop. */
export function bringsFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** What was dropped. Call it in the event's handler: the browser forgets it afterwards. */
export async function dropped(transfer: DataTransfer): Promise<Dropped> {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const all = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const chosen: Chosen[] = [];
  for (const each of all) {
    if (each instanceof File) chosen.push({ file: each, folder: "" });
    else if (each) await collect(each, "", chosen);
  }
  return bounded(chosen);
}

/** What was chosen in a field for files or for a folder. */
export function chosenIn(field: HTMLInputElement): Dropped {
  const chosen = [...(field.files ?? [])].map((file) => {
    const end = file.webkitRelativePath.lastIndexOf("/");
    return { file, folder: end < 0 ? "" : file.webkitRelativePath.slice(0, end) };
  });
  return bounded(chosen);
}

/** The server makes no hidden folder: a .git among the files would be found by programs. */
function bounded(all: readonly Chosen[]): Dropped {
  const seen = all.filter(({ folder }) => !/(^|\/)\./.test(folder));
  const chosen = seen.slice(0, MOST);
  const remarks = [
    ...(seen.length > MOST ? [`Only the first ${MOST} files are uploaded.`] : []),
    ...(all.length > seen.length ? ["Hidden folders are left out."] : []),
  ];
  return { chosen, remark: remarks.join(" ") };
}

async function collect(entry: FileSystemEntry, folder: string, chosen: Chosen[]): Promise<void> {
  if (chosen.length > MOST) return;
  if (isFile(entry)) {
    chosen.push({ file: await new Promise<File>((resolve, reject) => entry.file(resolve, reject)), folder });
    return;
  }
  if (!isFolder(entry)) return;
  const reader = entry.createReader();
  const below = folder === "" ? entry.name : `${folder}/${entry.name}`;
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0 || chosen.length > MOST) return;
    for (const each of some) await collect(each, below, chosen);
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
