import { createEffect, type JSX } from "solid-js";
import { service, serviceTitles } from "../app/service";

export function PageHeader(props: { title: string; detail?: JSX.Element; children?: JSX.Element }) {
  createEffect(() => {
    document.title = `${props.title} · ${serviceTitles[service]}`;
  });
  return (
    <header class="page-header">
      <h1>{props.title}</h1>
      <div class="page-detail">{props.detail}</div>
      <div class="page-actions">{props.children}</div>
    </header>
  );
}
