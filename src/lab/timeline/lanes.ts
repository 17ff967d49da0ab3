/** What a lane shows in one line. */
type Mark = "call" | "failed" | undefined;

/** The vertical lines of the timeline: one for the controller and one for each node. */
export class Lanes {
  readonly #components: readonly string[];
  readonly #holding = new Set<string>();

  constructor(components: readonly string[]) {
    this.#components = components;
  }

  get width(): number {
    return 2 * this.#components.length - 1;
  }

  /** From here on the component's line is a heavy one: the volume is mounted there. */
  hold(component: string): void {
    this.#holding.add(component);
  }

  release(component: string): void {
    this.#holding.delete(component);
  }

  /** `│ ● ┃ │`, with the mark on one component's lane. */
  line(component?: string, mark?: Mark): string {
    const lanes = this.#components.map((each) => this.#lane(each, each === component ? mark : undefined));
    return lanes.join(" ");
  }

  /** `c 1 2 3`: whose lane is whose. */
  header(): string {
    return this.#components.map((name) => (name === "controller" ? "c" : name.at(-1))).join(" ");
  }

  #lane(component: string, mark: Mark): string {
    if (mark === "call") return "●";
    if (mark === "failed") return "✗";
    return this.#holding.has(component) ? "┃" : "│";
  }
}
