// Light, dark, or as the system is.
import { signal } from "@preact/signals"
import { keep, recall } from "./store"

export type Theme = "system" | "light" | "dark"
export const theme = signal<Theme>("system")

export function useTheme(): void {
  const kept = recall("theme")
  setTheme(kept === "light" || kept === "dark" ? kept : "system")
}

export function setTheme(wanted: Theme): void {
  theme.value = wanted
  document.documentElement.dataset.theme = wanted
  keep("theme", wanted === "system" ? "" : wanted)
}
