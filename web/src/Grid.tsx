// Rows and columns as in a spreadsheet. Only what is in sight is drawn, and asked for, however large the sheet is.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks"
import { letters, type Area } from "./cells"

const ROW = 26
const HEAD = 26
const EDGE = 56
const BEYOND = 12

export interface Box {
  text: string
  kind: string
  formula?: string
}
type Props = {
  name: string
  rows: number
  widths: readonly number[]
  // undefined: it has not come yet
  cell: (row: number, column: number) => Box | undefined
  // rows that are in sight, from 1
  seen?: (first: number, last: number) => void
  marked?: Area
}

const MOVES: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-20, 0], PageDown: [20, 0] }

export function Grid({ name, rows, widths, cell, seen, marked }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const [at, setAt] = useState<[number, number]>(marked ? [marked.top, marked.left] : [1, 1])
  const [view, setView] = useState({ top: 0, left: 0, height: 400, width: 400 })
  const lefts = widths.reduce<number[]>((sums, width) => [...sums, sums.at(-1)! + width], [0])
  const look = () => {
    const place = box.current
    if (place) setView({ top: place.scrollTop, left: place.scrollLeft, height: place.clientHeight, width: place.clientWidth })
  }
  const bring = ([row, column]: [number, number]) => {
    const place = box.current
    if (!place) return
    const y = (row - 1) * ROW
    const x = lefts[column - 1] ?? 0
    if (y < place.scrollTop) place.scrollTop = y
    else if (y + ROW > place.scrollTop + place.clientHeight - HEAD) place.scrollTop = y + ROW - place.clientHeight + HEAD
    if (x < place.scrollLeft) place.scrollLeft = x
    else if ((lefts[column] ?? 0) > place.scrollLeft + place.clientWidth - EDGE) place.scrollLeft = Math.min(x, (lefts[column] ?? 0) - place.clientWidth + EDGE)
  }
  useLayoutEffect(() => {
    if (marked && box.current) {
      // the place stands in the middle, what it belongs to around it
      box.current.scrollTop = Math.max(0, (marked.top - 1) * ROW - box.current.clientHeight / 3)
      box.current.scrollLeft = Math.max(0, (lefts[marked.left - 1] ?? 0) - box.current.clientWidth / 3)
      setAt([marked.top, marked.left])
    }
    look()
  }, [marked?.top, marked?.left, marked?.bottom, marked?.right, widths])
  const first = Math.max(1, Math.floor(view.top / ROW) + 1 - BEYOND)
  const last = Math.min(rows, Math.ceil((view.top + view.height) / ROW) + BEYOND)
  useEffect(() => seen?.(Math.max(1, first), last), [first, last])
  const columns = widths.map((_, column) => column + 1).filter((column) => lefts[column]! >= view.left - 200 && lefts[column - 1]! <= view.left + view.width + 200)
  const keys = (event: KeyboardEvent) => {
    const by = MOVES[event.key]
    const far = event.ctrlKey || event.metaKey
    if (event.altKey || (far && event.key !== "Home" && event.key !== "End")) return
    let next: [number, number]
    if (by) next = [at[0] + by[0], at[1] + by[1]]
    else if (event.key === "Home") next = [far ? 1 : at[0], 1]
    else if (event.key === "End") next = [far ? rows : at[0], widths.length]
    else return
    event.preventDefault()
    next = [Math.min(Math.max(next[0], 1), rows), Math.min(Math.max(next[1], 1), widths.length)]
    setAt(next)
    bring(next)
  }
  const inside = (row: number, column: number) => marked !== undefined && row >= marked.top && row <= marked.bottom && column >= marked.left && column <= marked.right
  const now = cell(at[0], at[1])
  const id = (row: number, column: number) => `g-${row}-${column}`
  return (
    <div class="book">
      <p class="cellbar s13" aria-live="polite">
        <b>{letters(at[1]) + at[0]}</b> <span>{now ? now.formula || now.text || "empty" : "…"}</span>
      </p>
      <div
        class="cells"
        ref={box}
        role="grid"
        aria-label={name}
        aria-rowcount={rows + 1}
        aria-colcount={widths.length + 1}
        aria-readonly="true"
        aria-activedescendant={id(at[0], at[1])}
        tabIndex={0}
        onScroll={look}
        onKeyDown={keys}
      >
        <div class="cellhead" role="row" aria-rowindex={1} style={{ width: `${lefts.at(-1)! + EDGE}px` }}>
          <span role="columnheader" aria-colindex={1} class="corner">
            <span class="unseen">Row</span>
          </span>
          {columns.map((column) => (
            <span role="columnheader" aria-colindex={column + 1} key={column} class={column === at[1] ? "on" : ""} style={{ left: `${lefts[column - 1]! + EDGE}px`, width: `${widths[column - 1]}px` }}>
              {letters(column)}
            </span>
          ))}
        </div>
        <div class="cellrows" role="rowgroup" style={{ height: `${rows * ROW}px`, width: `${lefts.at(-1)! + EDGE}px` }}>
          {Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n).map((row) => (
            <div role="row" key={row} aria-rowindex={row + 1} style={{ top: `${(row - 1) * ROW}px` }}>
              <span role="rowheader" aria-colindex={1} class={row === at[0] ? "on" : ""}>
                {row}
              </span>
              {columns.map((column) => {
                const found = cell(row, column)
                const here = row === at[0] && column === at[1]
                return (
                  <span
                    role="gridcell"
                    id={id(row, column)}
                    key={column}
                    aria-colindex={column + 1}
                    aria-selected={here}
                    class={`k${found?.kind ?? "_"}${inside(row, column) ? " hit" : ""}${here ? " here" : ""}`}
                    title={found && found.text.length > 12 ? found.text : undefined}
                    style={{ left: `${lefts[column - 1]! + EDGE}px`, width: `${widths[column - 1]}px` }}
                    onClick={() => setAt([row, column])}
                  >
                    {found?.text}
                    {inside(row, column) && <span class="unseen"> (cited here)</span>}
                  </span>
                )
              })}
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}
