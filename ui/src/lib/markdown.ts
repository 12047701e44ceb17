// Markdown to a small tree. Raw HTML stays text: the tree has no node that could hold it, so nothing a file
// contains can run in the page.

export type Inline =
  | { type: "text"; text: string }
  | { type: "code"; text: string }
  | { type: "strong" | "em" | "del"; children: Inline[] }
  | { type: "link"; href: string; children: Inline[] }
  | { type: "break" };

export type Block =
  | { type: "heading"; level: number; children: Inline[] }
  | { type: "paragraph"; children: Inline[] }
  | { type: "code"; text: string }
  | { type: "list"; ordered: boolean; items: Block[][] }
  | { type: "quote"; children: Block[] }
  | { type: "table"; header: Inline[][]; rows: Inline[][][] }
  | { type: "rule" };

/** Lists and quotes nested deeper than this are read as plain text. */
const MAX_DEPTH = 8;

export function parseMarkdown(text: string, depth = 0): Block[] {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const out: Block[] = [];
  let i = 0;
  const at = (k: number) => lines[k] ?? "";
  while (i < lines.length) {
    const line = at(i);
    if (line.trim() === "") {
      i++;
      continue;
    }
    const fence = /^\s*(```+|~~~+)/.exec(line);
    if (fence) {
      const body: string[] = [];
      for (i++; i < lines.length && !at(i).trim().startsWith(fence[1]!); i++) body.push(at(i));
      i++;
      out.push({ type: "code", text: body.join("\n") });
      continue;
    }
    const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (heading) {
      out.push({ type: "heading", level: heading[1]!.length, children: parseInline(heading[2]!) });
      i++;
      continue;
    }
    if (/^ {0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) {
      out.push({ type: "rule" });
      i++;
      continue;
    }
    if (/^ {0,3}>/.test(line) && depth < MAX_DEPTH) {
      const body: string[] = [];
      for (; i < lines.length && /^ {0,3}>/.test(at(i)); i++) body.push(at(i).replace(/^ {0,3}> ?/, ""));
      out.push({ type: "quote", children: parseMarkdown(body.join("\n"), depth + 1) });
      continue;
    }
    if (listItem.test(line) && depth < MAX_DEPTH) {
      const [block, next] = parseList(lines, i, depth);
      out.push(block);
      i = next;
      continue;
    }
    if (line.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(at(i + 1))) {
      const header = cells(line);
      const rows: Inline[][][] = [];
      for (i += 2; i < lines.length && at(i).includes("|"); i++) rows.push(cells(at(i)));
      out.push({ type: "table", header, rows });
      continue;
    }
    const body: string[] = [];
    for (; i < lines.length && at(i).trim() !== "" && (body.length === 0 || !startsBlock(at(i))); i++) body.push(at(i));
    out.push({ type: "paragraph", children: parseInline(body.join("\n").trim()) });
  }
  return out;
}

const listItem = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;

const startsBlock = (line: string): boolean => /^\s*(```|~~~)|^ {0,3}#{1,6}\s|^ {0,3}>/.test(line) || listItem.test(line);

function parseList(lines: string[], start: number, depth: number): [Block, number] {
  const first = listItem.exec(lines[start]!)!;
  const indent = first[1]!.length;
  const ordered = /\d/.test(first[2]!);
  const items: string[][] = [];
  let i = start;
  for (; i < lines.length; i++) {
    const line = lines[i]!;
    const m = listItem.exec(line);
    if (m && m[1]!.length <= indent + 1) {
      if (/\d/.test(m[2]!) !== ordered || m[1]!.length < indent) break;
      items.push([m[3]!]);
    } else if (line.trim() === "") {
      if (!/^\s{2,}/.test(lines[i + 1] ?? "") && !listItem.test(lines[i + 1] ?? "")) break;
    } else if (/^\s{2,}/.test(line)) items[items.length - 1]!.push(line.replace(/^\s{1,4}/, ""));
    else break;
  }
  return [{ type: "list", ordered, items: items.map((body) => parseMarkdown(body.join("\n"), depth + 1)) }, i];
}

function cells(row: string): Inline[][] {
  return row.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((c) => parseInline(c.trim().replace(/\\\|/g, "|")));
}

const inlinePattern =
  /`([^`]+)`|!?\[([^\]]*)\]\(\s*<?([^)\s>]+)>?(?:\s+["'][^)]*["'])?\s*\)|<(https?:\/\/[^\s>]+)>|\*\*(?=\S)(.+?)\*\*|__(?=\S)(.+?)__|\*(?=\S)([^*]+?)\*|\b_(?=\S)([^_]+?)_\b|~~(.+?)~~|(https?:\/\/[^\s<>)\]]+[^\s<>)\].,;:!?])|( {2,}\n|\\\n)/s;

export function parseInline(text: string): Inline[] {
  const out: Inline[] = [];
  let rest = text;
  while (rest !== "") {
    const m = inlinePattern.exec(rest);
    if (!m) {
      out.push({ type: "text", text: unescape(rest) });
      break;
    }
    if (m.index > 0) out.push({ type: "text", text: unescape(rest.slice(0, m.index)) });
    const [whole, code, label, target, auto, strong1, strong2, em1, em2, del, bare, br] = m;
    if (code !== undefined) out.push({ type: "code", text: code });
    else if (target !== undefined) out.push(link(target, parseInline(label || target)));
    else if (auto ?? bare) out.push(link((auto ?? bare)!, [{ type: "text", text: (auto ?? bare)! }]));
    else if (strong1 ?? strong2) out.push({ type: "strong", children: parseInline((strong1 ?? strong2)!) });
    else if (em1 ?? em2) out.push({ type: "em", children: parseInline((em1 ?? em2)!) });
    else if (del !== undefined) out.push({ type: "del", children: parseInline(del) });
    else if (br !== undefined) out.push({ type: "break" });
    rest = rest.slice(m.index + whole.length);
  }
  return out;
}

function link(href: string, children: Inline[]): Inline {
  return safeHref(href) ? { type: "link", href, children } : { type: "em", children };
}

/** http(s), mailto and links inside this origin; never javascript:, data: and the like. */
export function safeHref(href: string): boolean {
  return /^(https?:\/\/|mailto:|#|\/(?!\/))/i.test(href) || /^[\w.-]+(\/|$)/.test(href);
}

const unescape = (text: string): string => text.replace(/\\([\\`*_{}[\]()#+\-.!|>~])/g, "$1");
