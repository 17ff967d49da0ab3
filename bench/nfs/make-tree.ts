import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";

/** Half of the files in one directory, the others in directories of 1,000. */
export function makeTree(directory: string, files: number, content = ""): void {
  mkdirSync(directory);
  makeFiles(`${directory}/flat`, files / 2, content);
  for (let made = 0; made < files / 2; made += filesEach) {
    makeFiles(`${directory}/directory-${made / filesEach}`, Math.min(filesEach, files / 2 - made), content);
  }
}

const filesEach = 1000;

function makeFiles(directory: string, count: number, content: string): void {
  mkdirSync(directory);
  for (let index = 0; index < count; index++) {
    const file = openSync(`${directory}/file-${index}`, "w");
    if (content !== "") writeSync(file, content);
    closeSync(file);
  }
}
