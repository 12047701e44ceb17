import { interpolate, type Scope } from "../lib/variables";
import { Icon } from "../ui/Icon";
import { panelScope } from "./layout";
import type { Panel } from "./model";

export function RowHeader(props: { panel: Panel; scope: Scope; collapsed: boolean; onToggle: () => void }) {
  const title = () => interpolate(props.panel.title ?? "", panelScope(props.panel, props.scope), "text") || "Row";
  return (
    <button class="row-header" aria-expanded={!props.collapsed} onClick={() => props.onToggle()}>
      <span class="chev" classList={{ open: !props.collapsed }}><Icon name="chevron" size={14} /></span>
      {title()}
    </button>
  );
}
