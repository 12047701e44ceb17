// Dark or light: the system's wish until a person chooses, then their choice.
import { createSignal } from "solid-js";
import type { Theme } from "../lib/colors";

const KEY = "cloudos-theme";
const system = window.matchMedia("(prefers-color-scheme: light)");

function stored(): Theme | null {
  try {
    const value = window.localStorage.getItem(KEY);
    return value === "dark" || value === "light" ? value : null;
  } catch {
    return null; // Storage can be switched off; the system's wish is a fine default.
  }
}

const [theme, setThemeSignal] = createSignal<Theme>(stored() ?? (system.matches ? "light" : "dark"));
export { theme };

export function startTheme(): void {
  const fromUrl = new URLSearchParams(window.location.search).get("theme");
  if (fromUrl === "dark" || fromUrl === "light") setThemeSignal(fromUrl);
  document.documentElement.dataset.theme = theme();
  system.addEventListener("change", () => {
    if (!stored()) apply(system.matches ? "light" : "dark");
  });
}

export function toggleTheme(): void {
  const next: Theme = theme() === "dark" ? "light" : "dark";
  try {
    window.localStorage.setItem(KEY, next);
  } catch {
    // The choice then lasts until the page is left.
  }
  apply(next);
}

function apply(next: Theme): void {
  document.documentElement.dataset.theme = next;
  setThemeSignal(next);
}
