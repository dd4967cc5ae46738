// The place in a source that is looked at, beside the thread that cites it.
import { signal } from "@preact/signals"
import { go } from "./store"

export { isBook, isPaged, isRows, isWorded, placed } from "./kinds"

export interface At {
  path: string
  source: string
  where: Readonly<Record<string, string>>
  quote: string
  // which version of a file that a run changed: by default the last change set's, else the user's own
  side?: "disk" | "before" | "after"
  run?: string
}

export const looked = signal<{ thread: string; at: At } | null>(null)

export function look(thread: string, at: At): void {
  looked.value = { thread, at }
  go(`/t/${thread}/sources`)
}

export function query(at: At, more: Record<string, string | number> = {}): string {
  const words = new URLSearchParams({ path: at.path })
  if (at.source) words.set("source", at.source)
  if (at.side) words.set("side", at.side)
  if (at.run) words.set("run", at.run)
  for (const [name, value] of Object.entries(more)) if (value !== "") words.set(name, String(value))
  return `?${words}`
}
