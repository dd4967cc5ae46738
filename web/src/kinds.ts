// What a file is by its name, and a place by its words.
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
