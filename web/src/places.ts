// The place in a source that is looked at, beside the thread that cites it.
import { signal } from "@preact/signals"
import { go } from "./store"

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

export const isBook = (path: string) => /\.(xlsx|xlsm|xltx|xltm)$/i.test(path)
export const isPaged = (path: string) => /\.(pdf|docx|docm|pptx|pptm)$/i.test(path)
export const isWorded = (path: string) => /\.(pdf|docx|docm|dotx|txt|md|markdown|eml|log)$/i.test(path)
export const isRows = (path: string) => /\.(csv|tsv)$/i.test(path)

// A place that a finding names in words: "page 2, ¶ 14", "Model!C7", "line 3".
export function placed(location: string): Record<string, string> {
  const cell = /(?:('[^']+'|[\w .&-]+)!)?\$?([A-Z]{1,3}\$?\d{1,7}(?::\$?[A-Z]{1,3}\$?\d{1,7})?)\b/.exec(location)
  if (cell?.[1]) return { sheet: cell[1].replace(/^'|'$/g, "").trim(), cell: cell[2]!.replace(/\$/g, "") }
  const found: Record<string, string> = {}
  for (const [name, mark] of [
    ["page", /\b(?:page|p\.)\s?(\d+)/i],
    ["paragraph", /(?:¶|\bparagraph|\bpara\.)\s?(\d+)/i],
    ["line", /\bline (\d+)/i],
    ["row", /\brow (\d+)/i],
  ] as const) {
    const hit = mark.exec(location)
    if (hit) found[name] = hit[1]!
  }
  return found
}

export function query(at: At, more: Record<string, string | number> = {}): string {
  const words = new URLSearchParams({ path: at.path })
  if (at.source) words.set("source", at.source)
  if (at.side) words.set("side", at.side)
  if (at.run) words.set("run", at.run)
  for (const [name, value] of Object.entries(more)) if (value !== "") words.set(name, String(value))
  return `?${words}`
}
