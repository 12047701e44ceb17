import { For, type JSX } from "solid-js";
import { insert } from "solid-js/web";
import "./markdown.css";
import { parseMarkdown, type Block, type Inline } from "../lib/markdown";

export function Markdown(props: { text: string }) {
  return <div class="markdown"><Blocks blocks={parseMarkdown(props.text)} /></div>;
}

function Blocks(props: { blocks: Block[] }) {
  return <For each={props.blocks}>{(b) => block(b)}</For>;
}

function block(b: Block): JSX.Element {
  switch (b.type) {
    case "heading": return element(`h${b.level}`, <Inlines nodes={b.children} />);
    case "paragraph": return <p><Inlines nodes={b.children} /></p>;
    case "code": return <pre><code>{b.text}</code></pre>;
    case "quote": return <blockquote><Blocks blocks={b.children} /></blockquote>;
    case "rule": return <hr />;
    case "list": return element(
      b.ordered ? "ol" : "ul",
      <For each={b.items}>{(item) => <li>{item.length === 1 && item[0]!.type === "paragraph" ? <Inlines nodes={item[0]!.children} /> : <Blocks blocks={item} />}</li>}</For>,
    );
    case "table": return (
      <table>
        <thead><tr><For each={b.header}>{(c) => <th><Inlines nodes={c} /></th>}</For></tr></thead>
        <tbody><For each={b.rows}>{(r) => <tr><For each={r}>{(c) => <td><Inlines nodes={c} /></td>}</For></tr>}</For></tbody>
      </table>
    );
  }
}

function Inlines(props: { nodes: Inline[] }) {
  return <For each={props.nodes}>{(n) => inline(n)}</For>;
}

function inline(n: Inline): JSX.Element {
  switch (n.type) {
    case "text": return n.text;
    case "code": return <code>{n.text}</code>;
    case "break": return <br />;
    case "link": return <a href={n.href} rel="noopener noreferrer"><Inlines nodes={n.children} /></a>;
    default: return element(n.type, <Inlines nodes={n.children} />);
  }
}

// Solid's own Dynamic would bring the code that sets any attribute of any element; these have none.
function element(tag: string, children: JSX.Element): JSX.Element {
  const made = document.createElement(tag);
  insert(made, () => children);
  return made;
}
