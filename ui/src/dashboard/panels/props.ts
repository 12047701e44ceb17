// What every panel renderer receives.
import type { Range } from "../../lib/time";
import type { Scope } from "../../lib/variables";
import type { Frame } from "../../lib/frames";
import type { Panel } from "../model";

export interface PanelProps {
  panel: Panel;
  frames: Frame[];
  range: Range;
  intervalMs: number;
  scope: Scope;
  syncKey?: string;
  onZoom?: (range: Range) => void;
}
