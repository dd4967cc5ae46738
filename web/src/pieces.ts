// How one file changes, in pieces, with what was said of each: comments that came with it, and findings at its place.
import { area } from "./cells"
import type { Finding, Item } from "./contract.gen"
import { placed } from "./kinds"
import { count, size } from "./words"

export interface Piece {
  // where it is, as it is shown, such as "¶ 14"
  where: string
  lines: string[]
  // its words stand within one paragraph
  within: boolean
  said: string[]
}

export function cut(lines: readonly string[]): Piece[] {
  const pieces: Piece[] = []
  for (const line of lines) {
    const head = /^@@ (.*?) @@/.exec(line)
    if (head) pieces.push({ where: head[1]!, lines: [], within: /¶ \d+$/.test(head[1]!), said: [] })
    else if (line.startsWith("#") && pieces.length && !isLines(pieces.at(-1)!.where)) pieces.at(-1)!.said.push(line.slice(1))
    else if (pieces.length) pieces.at(-1)!.lines.push(line)
    else if (!line.startsWith("---") && !line.startsWith("+++")) pieces.push({ where: "", lines: [line], within: false, said: [] })
  }
  return pieces
}

const HUNK = /^-\S+ \+(\d+)(?:,(\d+))?$/
const isLines = (where: string) => HUNK.test(where)

export function place(where: string): string {
  const lines = HUNK.exec(where)
  return lines ? `line ${lines[1]}` : where
}

// Findings by the piece at whose place they are; `rest`: those of the file that are at none.
export function judged(pieces: readonly Piece[], findings: readonly Finding[]): { at: Finding[][]; rest: Finding[] } {
  const at: Finding[][] = pieces.map(() => [])
  const rest: Finding[] = []
  for (const finding of findings) {
    const place = finding.location ? pieces.findIndex((piece) => meets(piece.where, finding.location)) : -1
    if (place < 0) rest.push(finding)
    else at[place]!.push(finding)
  }
  return { at, rest }
}

function meets(where: string, location: string): boolean {
  const wanted = placed(location)
  const lines = HUNK.exec(where)
  if (lines) {
    const line = Number(wanted.line ?? 0)
    return line >= Number(lines[1]) && line < Number(lines[1]) + Math.max(Number(lines[2] ?? 1), 1)
  }
  const slide = /\bslide (\d+)/i
  if (slide.test(where)) return slide.exec(where)![1] === slide.exec(location)?.[1]
  const own = placed(where)
  if (own.cell && wanted.cell) {
    const [one, other] = [area(own.cell), area(wanted.cell)]
    const sheets = !wanted.sheet || wanted.sheet === own.sheet
    return sheets && !!one && !!other && one.top <= other.bottom && one.bottom >= other.top && one.left <= other.right && one.right >= other.left
  }
  // of a page many paragraphs are
  return own.paragraph ? !where.includes(",") && own.paragraph === wanted.paragraph : !!own.page && own.page === wanted.page
}

export const calls = (findings: readonly Finding[]) => findings.filter((finding) => finding.level !== "note").length

// What is to know of a file in the list: how much of it changes, in the unit of its kind.
export function measure(item: Item, lines: readonly string[] | undefined): string {
  const pieces = lines ? cut(lines) : []
  const cells = pieces.map((piece) => placed(piece.where)).filter((one) => one.cell)
  if (cells.length) return `${count(cells.length, "cell")} in ${count(new Set(cells.map((one) => one.sheet)).size, "sheet")}`
  const marked = pieces.filter((piece) => piece.within)
  if (item.operation === "create" && marked.length) return count(marked.length, "tracked change")
  const real = pieces.filter((piece) => piece.where)
  if (item.operation === "modify" && real.length) return count(real.length, "change")
  return item.size !== null ? size(item.size) : ""
}
