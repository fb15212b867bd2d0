/** What was dropped, pasted or chosen: files of an image, and perhaps a report among them. */

export interface Given {
  name: string;
  file: File;
}

const REPORT = /\.(txt|md)$/i;
const MOST = 50_000; // as the server takes

/** All files of a drop, folders walked. */
export async function filesOf(transfer: DataTransfer): Promise<Given[]> {
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: Given[] = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push({ name: entry.name, file: entry });
    else if (entry) await walk(entry, "", found);
  }
  return found;
}

async function walk(entry: FileSystemEntry, above: string, found: Given[]): Promise<void> {
  if (entry.name.startsWith(".")) return;
  if (found.length >= MOST)
    throw new Error(`More than ${MOST} files were dropped: drop the folder of one study, or a zip of it.`);
  const name = above + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail));
    found.push({ name, file });
  } else if (entry.isDirectory) {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return;
      for (const inner of some) await walk(inner, `${name}/`, found);
    }
  }
}

export function chosen(list: FileList): Given[] {
  return [...list].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
}

/** Text files are the report, all else is the image. */
export function sorted(given: readonly Given[]): { images: Given[]; reports: Given[] } {
  return {
    images: given.filter(({ name }) => !REPORT.test(name)),
    reports: given.filter(({ name }) => REPORT.test(name)),
  };
}

export function download(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
