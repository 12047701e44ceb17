// Text from an alert, with the web addresses in it as links. Nothing else in it is taken for markup.
import { For } from "solid-js";

export function LinkedText(props: { text: string }) {
  const parts = () => props.text.split(/(https?:\/\/[^\s<>"')]+)/);
  return <For each={parts()}>{(part, i) => (i() % 2 ? <a href={part} target="_blank" rel="noopener noreferrer">{part}</a> : part)}</For>;
}
