// Where series come from: each step narrows a selector by one more label, and counts what is left.

export interface Focus {
  name: string;
  value: string;
}

const quoted = (text: string): string => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
const plain = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const labelText = (name: string): string => (plain.test(name) ? name : quoted(name));

/** A selector of what has been focused on so far; of everything when that is nothing. */
export function selectorOf(path: readonly Focus[]): string {
  if (path.length === 0) return '{__name__!=""}';
  return `{${path.map((f) => `${labelText(f.name)}=${quoted(f.value)}`).join(",")}}`;
}

/** Series per value of `label` under `path`, most first. */
export const countQuery = (path: readonly Focus[], label: string, limit: number): string => `sort_desc(topk(${limit}, count by (${labelText(label)}) (${selectorOf(path)})))`;

/** How many series there are under `path`. */
export const totalQuery = (path: readonly Focus[]): string => `count(${selectorOf(path)})`;

/** The values a label has under `path`, counted. A label that many series lack has fewer values than series. */
export const valuesQuery = (path: readonly Focus[], label: string): string => `count(count by (${labelText(label)}) (${selectorOf(path).replace(/}$/, `,${labelText(label)}!=""}`)}))`;

/** A share as a width for a bar; never quite nothing, so that small ones can be seen. */
export const barWidth = (value: number, most: number): string => `${Math.max(0.5, most > 0 ? (100 * value) / most : 0).toFixed(1)}%`;
