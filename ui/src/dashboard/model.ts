// The dashboard file format, as far as panels are drawn from it.
import type { FieldConfigSource } from "./fieldConfig";

export type DatasourceRef = { uid?: string; type?: string } | string | null | undefined;

export interface Target {
  refId: string;
  expr?: string;
  datasource?: DatasourceRef;
  legendFormat?: string;
  format?: string;
  instant?: boolean;
  range?: boolean;
  interval?: string;
  hide?: boolean;
  queryType?: string;
  maxLines?: number;
  [key: string]: any;
}

export interface GridPos {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Panel {
  id: number;
  type: string;
  title?: string;
  description?: string;
  gridPos: GridPos;
  datasource?: DatasourceRef;
  targets: Target[];
  fieldConfig: FieldConfigSource;
  options: Record<string, any>;
  transformations?: { id: string; options?: any; disabled?: boolean }[];
  interval?: string;
  maxDataPoints?: number | null;
  timeFrom?: string;
  timeShift?: string;
  transparent?: boolean;
  collapsed?: boolean;
  panels?: Panel[];
  repeat?: string;
  repeatDirection?: "h" | "v";
  maxPerRow?: number;
  links?: { title?: string; url?: string }[];
  /** Values of repeated variables, fixed for this copy. */
  scoped?: Record<string, string>;
}

export interface VariableModel {
  name: string;
  type: string;
  label?: string | null;
  hide?: number;
  query?: any;
  definition?: string;
  datasource?: DatasourceRef;
  regex?: string;
  sort?: number;
  refresh?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  current?: { text?: string | string[]; value?: string | string[] };
  options?: { text: string; value: string; selected?: boolean }[];
  auto?: boolean;
  auto_count?: number;
  auto_min?: string;
  skipUrlSync?: boolean;
}

export interface Dashboard {
  uid: string;
  title: string;
  description?: string;
  tags: string[];
  panels: Panel[];
  variables: VariableModel[];
  time: { from: string; to: string };
  refresh: string;
  graphTooltip: number;
  links: { title?: string; url?: string; type?: string; tags?: string[]; targetBlank?: boolean }[];
}
