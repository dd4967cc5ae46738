// A workbook or a table of text as a grid; its rows come a window at a time from a machine that reads the file.
import { useEffect, useRef, useState } from "preact/hooks"
import { get } from "./api"
import { area, letters, type Area } from "./cells"
import type { OpenedSheet, SheetRows, Words } from "./contract.gen"
import { fields } from "./fields"
import { Grid, type Box } from "./Grid"
import { query, type At } from "./places"
import { why } from "./why"

const WIDTH = 7
const PAD = 12

export function Book({ thread, at }: { thread: string; at: At }) {
  const [sheet, setSheet] = useState(at.where.sheet ?? "")
  const [head, setHead] = useState<SheetRows | null>(null)
  const [changed, setChanged] = useState(false)
  const [problem, setProblem] = useState("")
  const [waits, setWaits] = useState(0)
  // windows by their first row; of a sheet that was left, what still comes is not for this one
  const windows = useRef(new Map<number, SheetRows>())
  const asked = useRef(new Set<number>())
  const turn = useRef(sheet)
  const marked = at.where.sheet === undefined || !head || head.sheet === (at.where.sheet || head.sheet) ? mark(at) : undefined
  const fetchFrom = (top: number) => {
    if (asked.current.has(top)) return
    asked.current.add(top)
    setWaits((n) => n + 1)
    const own = turn.current
    get<OpenedSheet>(`/api/threads/${thread}/place/rows${query(at, { sheet: own, top })}`).then(
      ({ rows, changed: other }) => {
        setWaits((n) => n - 1)
        if (turn.current !== own) return
        windows.current.set(rows.top, rows)
        setHead((was) => was ?? rows)
        setChanged(other)
      },
      (error) => {
        setWaits((n) => n - 1)
        if (turn.current === own) setProblem(why(error))
      },
    )
  }
  useEffect(() => {
    turn.current = sheet
    windows.current = new Map()
    asked.current = new Set()
    setHead(null)
    setProblem("")
    fetchFrom(marked ? Math.max(1, marked.top - 40) : 1)
  }, [sheet])
  const holds = (row: number) => {
    for (const one of windows.current.values()) if (row >= one.top && row < one.top + one.cells.length) return one
    return undefined
  }
  const seen = (first: number, last: number) => {
    for (const row of [first, last]) if (head && row <= head.rows && !holds(row)) fetchFrom(Math.max(1, row === first ? row - 20 : row))
  }
  const cell = (row: number, column: number): Box | undefined => {
    const found = holds(row)
    if (!found) return undefined
    const line = row - found.top
    return { text: found.cells[line]![column - 1] ?? "", kind: found.kinds[line]![column - 1] ?? " ", formula: found.formulas[`${letters(column)}${row}`] }
  }
  return (
    <>
      <div aria-live="polite">
        {!head && !problem && <p class="s13 mut">Reading it in a virtual machine. The first time this takes a moment…</p>}
        {head && waits > 0 && <p class="s13 mut">Reading more rows…</p>}
        {problem && <p class="s13 bad">{problem}</p>}
        {changed && <p class="s13 attention">The file has changed since it was read: this is how it is now.</p>}
      </div>
      {head && (
        <>
          <Grid key={head.sheet} name={`${head.sheet}, ${head.rows} rows`} rows={head.rows} widths={pixels(head.widths)} cell={cell} seen={seen} marked={marked} />
          <div class="sheets" role="group" aria-label="Sheets">
            {head.sheets.map((one) => (
              <button key={one} class="sm" aria-pressed={one === head.sheet} onClick={() => one !== head.sheet && setSheet(one)}>
                {one}
              </button>
            ))}
          </div>
        </>
      )}
    </>
  )
}

function mark(at: At): Area | undefined {
  if (at.where.cell) return area(at.where.cell)
  const row = Number(at.where.row ?? 0)
  return row > 0 ? { top: row, bottom: row, left: 1, right: 1 << 20 } : undefined
}

const known = new WeakMap<readonly number[], number[]>()
// one array for the same widths: the grid looks at whether it is another
function pixels(widths: readonly number[]): number[] {
  let found = known.get(widths)
  if (!found) known.set(widths, (found = widths.map((width) => (width ? Math.min(Math.max(Math.round(width * WIDTH + PAD), 36), 420) : 0))))
  return found
}

// A table of text, such as a CSV, in the same grid.
export function TextRows({ words, at }: { words: Words; at?: At }) {
  const [rows] = useState(() => fields(words.text, markOf(words)))
  const [widths] = useState(() => {
    const wide = Math.max(...rows.slice(0, 1000).map((row) => row.length), 1)
    return Array.from({ length: wide }, (_, column) => Math.min(Math.max(...rows.slice(0, 200).map((row) => (row[column] ?? "").length), 6) * WIDTH + PAD, 320))
  })
  const cell = (row: number, column: number): Box => ({ text: rows[row - 1]?.[column - 1] ?? "", kind: /^-?[\d.,'’\s]+%?$/.test(rows[row - 1]?.[column - 1] ?? "") ? "n" : "t" })
  return <Grid name={`Its ${rows.length} rows`} rows={Math.max(rows.length, 1)} widths={widths} cell={cell} marked={at && mark(at)} />
}

function markOf(words: Words): string {
  if (/\.tsv$/i.test(words.path)) return "\t"
  return words.text.split("\n", 1)[0]!.includes(";") ? ";" : ","
}
