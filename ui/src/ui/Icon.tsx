// The icon set: strokes on a 24-unit grid, in the text's colour.
const shapes = {
  home: "M4 11l8-7 8 7M6 9.5V20h4v-6h4v6h4V9.5",
  dashboards: "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z",
  explore: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM15.5 8.5l-2 5-5 2 2-5z",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4",
  target: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6M12 1v4M12 19v4M1 12h4M19 12h4",
  traces: "M4 6h10M8 12h12M6 18h9",
  logs: "M5 6h14M5 10h14M5 14h9M5 18h12",
  rules: "M5 5h14v14H5zM8 9l2 2 3-3M8 15h8",
  mute: "M6 16V11a6 6 0 0 1 9-5M18 11v5l1.5 2h-13M10 20.5h4M4 4l16 16",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v6M12 7.5v.5",
  database: "M4 6c0-3.5 16-3.5 16 0v12c0 3.5-16 3.5-16 0zM4 6c0 3.5 16 3.5 16 0M4 12c0 3.5 16 3.5 16 0",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z",
  logout: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  refresh: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
  chevron: "M9 6l6 6-6 6",
  down: "M6 9l6 6 6-6",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L21 21",
  zoomOut: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L21 21M7.5 10.5h6",
  play: "M7 4l13 8-13 8z",
  stop: "M6 6h12v12H6z",
  close: "M6 6l12 12M18 6L6 18",
  warning: "M12 4l9 16H3zM12 10v5M12 17.5v.5",
  menu: "M4 7h16M4 12h16M4 17h16",
  push: "M12 16V4M7 9l5-5 5 5M4 20h16",
};

export type IconName = keyof typeof shapes;

export function Icon(props: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={props.size ?? 16} height={props.size ?? 16} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={shapes[props.name]} />
    </svg>
  );
}
