// Colours: the categorical palette and the colour names that dashboards use.
//
// The palette orders hues so that neighbours differ in lightness as well as in hue; it was built on the
// Okabe–Ito set, which stays apart for the common kinds of colour blindness.

export type Theme = "dark" | "light";

const palettes: Record<Theme, string[]> = {
  dark: ["#56b4e9", "#e9a23b", "#3fc79a", "#d98cc0", "#e6d54a", "#8c9ff5", "#ee7b4c", "#79d3d8", "#b59be6", "#9cc45c", "#f2a3b3", "#6aa6c9"],
  light: ["#0b72b5", "#c9660a", "#0a8f68", "#b0518f", "#9a7d00", "#4f5bd0", "#b8402a", "#0e8c99", "#7a4fb0", "#5d8417", "#a34a63", "#4d7186"],
};

export function paletteColor(index: number, theme: Theme): string {
  const palette = palettes[theme];
  return palette[((index % palette.length) + palette.length) % palette.length]!;
}

/** A stable palette colour for a name, used where the same service must look the same on every page. */
export function colorForName(name: string, theme: Theme): string {
  let h = 2166136261;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619);
  return paletteColor((h >>> 0) % 12, theme);
}

// Five shades a hue, from super-light to dark; the bare name is the middle one.
const hues: Record<string, [string, string, string, string, string]> = {
  red: ["#ffa6b0", "#ff7383", "#f2495c", "#e02f44", "#c4162a"],
  orange: ["#ffcb7d", "#ffb357", "#ff9830", "#ff780a", "#fa6400"],
  yellow: ["#fff899", "#ffee52", "#fade2a", "#f2cc0c", "#e0b400"],
  green: ["#c8f2c2", "#96d98d", "#73bf69", "#56a64b", "#37872d"],
  blue: ["#c0d8ff", "#8ab8ff", "#5794f2", "#3274d9", "#1f60c4"],
  purple: ["#deb6f2", "#ca95e5", "#b877d9", "#a352cc", "#8f3bb8"],
};
const shades = ["super-light", "light", "", "semi-dark", "dark"];

/** CSS colour of a dashboard colour: a name (`dark-red`), a hex or rgb() value, `text` or `transparent`. */
export function resolveColor(name: string | undefined, theme: Theme): string {
  if (!name) return "#808080";
  if (name === "text") return theme === "dark" ? "#ccd6e0" : "#26323e";
  if (name === "transparent") return "transparent";
  if (name === "gray" || name === "grey") return "#8e8e8e";
  if (name === "black" || name === "white") return name;
  const hue = hues[name.slice(name.lastIndexOf("-") + 1)];
  if (hue) {
    const shade = shades.indexOf(name.slice(0, Math.max(0, name.lastIndexOf("-"))));
    // On white, the bare middle shades are too pale for text: one step darker keeps the contrast.
    return hue[Math.min(4, (shade < 0 ? 2 : shade) + (theme === "light" ? 1 : 0))]!;
  }
  return /^(#[0-9a-f]{3,8}|rgba?\([\d\s.,%/]+\)|hsla?\([\d\s.,%/deg]+\))$/i.test(name) ? name : "#808080";
}

export function rgb(color: string): [number, number, number] {
  const hex = /^#([0-9a-f]{3,8})$/i.exec(color)?.[1];
  if (hex) {
    const full = hex.length < 6 ? [...hex.slice(0, 3)].map((c) => c + c).join("") : hex;
    return [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16)) as [number, number, number];
  }
  const parts = color.match(/[\d.]+/g)?.map(Number) ?? [];
  return [parts[0] ?? 128, parts[1] ?? 128, parts[2] ?? 128];
}

export function withAlpha(color: string, alpha: number): string {
  if (color === "transparent") return color;
  const [r, g, b] = rgb(color);
  return `rgba(${r},${g},${b},${alpha})`;
}

/** Black or white, whichever reads better on the colour. */
export function contrastText(color: string): string {
  const [r, g, b] = rgb(color);
  return (r * 299 + g * 587 + b * 114) / 1000 > 140 ? "#10161d" : "#ffffff";
}

const ramps: Record<string, string[]> = {
  "continuous-GrYlRd": ["#3fa34d", "#f2cc0c", "#e02f44"],
  "continuous-RdYlGr": ["#e02f44", "#f2cc0c", "#3fa34d"],
  "continuous-BlYlRd": ["#3274d9", "#f2cc0c", "#e02f44"],
  "continuous-YlRd": ["#f2cc0c", "#e02f44"],
  "continuous-BlPu": ["#3274d9", "#8f3bb8"],
  "continuous-YlBl": ["#f2cc0c", "#3274d9"],
  "continuous-blues": ["#c0d8ff", "#1f60c4"],
  "continuous-reds": ["#ffa6b0", "#c4162a"],
  "continuous-greens": ["#c8f2c2", "#37872d"],
  "continuous-purples": ["#deb6f2", "#8f3bb8"],
};

/** Colour at `t` in 0…1 on one of the continuous scales. */
export function rampColor(mode: string, t: number): string {
  const ramp = ramps[mode] ?? ramps["continuous-GrYlRd"]!;
  const at = Math.min(1, Math.max(0, Number.isFinite(t) ? t : 0)) * (ramp.length - 1);
  const i = Math.min(ramp.length - 2, Math.floor(at));
  const [a, b] = [rgb(ramp[i]!), rgb(ramp[i + 1]!)];
  return `rgb(${a.map((v, k) => Math.round(v + (b[k]! - v) * (at - i))).join(",")})`;
}
