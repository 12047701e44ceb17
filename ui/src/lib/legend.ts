// Series names: legend templates (`{{instance}} {{mode}}`) and the name a series has without one.

export type Labels = Record<string, string>;

/** Fills `{{label}}`; a label that the series lacks becomes empty, as in the original. */
export function renderLegend(format: string, labels: Labels): string {
  return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name: string) => labels[name] ?? "");
}

/** `metric{a="1", b="2"}`, the full identity of a series. */
export function seriesName(labels: Labels): string {
  const { __name__: name = "", ...rest } = labels;
  const pairs = Object.entries(rest).map(([k, v]) => `${k}=${JSON.stringify(v)}`);
  return pairs.length ? `${name}{${pairs.join(", ")}}` : name || "{}";
}

/** Name under `__auto`: the labels in which the series differ from each other, or the full identity. */
export function autoNames(all: Labels[]): string[] {
  if (all.length <= 1) return all.map((l) => l.__name__ ?? seriesName(l));
  const keys = new Set(all.flatMap((l) => Object.keys(l)));
  const varying = [...keys].filter((k) => new Set(all.map((l) => l[k])).size > 1);
  return all.map((l) => {
    if (varying.length === 0) return seriesName(l);
    const rest = varying.filter((k) => k !== "__name__" && l[k] !== undefined);
    if (varying.length === 1 && rest.length === 1) return l[rest[0]!]!;
    return seriesName(Object.fromEntries(varying.filter((k) => l[k] !== undefined).map((k) => [k, l[k]!])));
  });
}
