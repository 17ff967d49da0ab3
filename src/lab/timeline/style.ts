/** How a piece of text is meant; what that looks like is the palette's. */
export type Style = "heading" | "command" | "call" | "dim" | "good" | "bad";

export type Paint = (style: Style, text: string) => string;

const codes: Readonly<Record<Style, string>> = {
  heading: "1",
  command: "1;36",
  call: "1",
  dim: "2",
  good: "32",
  bad: "1;31",
};

/** Select Graphic Rendition (ECMA-48 §8.3.117). */
export const colours: Paint = (style, text) => `\x1b[${codes[style]}m${text}\x1b[0m`;

export const plain: Paint = (_, text) => text;
