// Tables over many documents: how far each is, and its sheet, drawn row by row while it grows.
import { useEffect, useRef, useState } from "preact/hooks"
import { get, post } from "./api"
import type { Brief, Cell, Evidence, Line, TableRow, TableRows, Window } from "./contract.gen"
import { Dialog } from "./Dialog"
import { Alert, ArrowLeft, Download, Plus, Square, TableMark } from "./icons"
import { NewTable } from "./NewTable"
import { fail, route, tell } from "./store"
import "./views.css"
import { count, day, money, name } from "./words"

type Status = Cell["status"]
const WORDS: Record<Status, string> = {
  open: "not answered yet",
  checked: "checked: the quote and the value are in the document",
  quoted: "quoted: the quote is in the document, the value is a reading of it",
  not_found: "not found",
  disputed: "disputed: it failed a check",
  failed: "failed",
}
const SIGNS: Record<Status, string> = { open: "…", checked: "", quoted: "", not_found: "–", disputed: "! ", failed: "✗ " }
const AGAIN: [Status, string][] = [
  ["disputed", "disputed"],
  ["failed", "failed"],
  ["not_found", "not found"],
]
const KINDS: [string, string][] = [
  ["xlsx", "Workbook"],
  ["csv", "CSV"],
  ["json", "JSON"],
]
const LOOK_MS = 2000
const STEP = 100
const ROW = 33

export function View() {
  const { item } = route.value
  if (item === "new") return <NewTable />
  return item ? <Sheet key={item} id={item} /> : <All />
}

function All() {
  const [found, setFound] = useState<readonly TableRow[] | null>(null)
  useEffect(() => {
    const look = () => get<TableRows>("/api/tables").then((rows) => setFound(rows.rows), fail)
    void look()
    const timer = setInterval(look, LOOK_MS)
    return () => clearInterval(timer)
  }, [])
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/settings" aria-label="Back">
          <ArrowLeft />
        </a>
        <h1>Tables</h1>
        <div class="tools">
          <a class="btn" href="#/tables/new">
            <Plus /> New table
          </a>
        </div>
      </header>
      <div class="form list">
        {found?.length === 0 && (
          <section class="blank">
            <TableMark size={28} />
            <h2>No tables yet</h2>
            <p>A table asks the same questions of many documents, one row each. Every answer has its quote, and what failed a check is marked.</p>
            <a class="btn pri" href="#/tables/new">
              Make a table
            </a>
          </section>
        )}
        <ul>
          {found?.map((row) => (
            <li key={row.id}>
              <a class="line-item" href={`#/tables/${row.id}`}>
                <span class="head">
                  <b class="t">{row.question}</b>
                  {row.working ? <span class="state info">Working</span> : row.done < row.rows && <span class="state warn">Not finished</span>}
                </span>
                <progress value={row.done} max={Math.max(row.rows, 1)} aria-label={`${row.done} of ${row.rows} documents`} />
                <span class="s13 mut">
                  {row.done} of {count(row.rows, "document")} answered. {counts(row)} {day(row.made)}.
                  {row.doing && ` Now: ${row.doing}.`}
                </span>
                {row.problem && <span class="s13 bad">{row.problem}</span>}
              </a>
            </li>
          ))}
        </ul>
      </div>
    </>
  )
}

function counts(row: TableRow): string {
  const order: Status[] = ["checked", "quoted", "not_found", "disputed", "failed", "open"]
  const parts = order.filter((one) => row.cells[one]).map((one) => `${row.cells[one]} ${one.replace("_", " ")}`)
  return parts.length ? `Cells: ${parts.join(", ")}.` : ""
}

function Sheet({ id }: { id: string }) {
  const [head, setHead] = useState<Window | null>(null)
  const [lines, setLines] = useState<ReadonlyMap<number, Line>>(new Map())
  const [span, setSpan] = useState<[number, number]>([0, 40])
  const [picked, setPicked] = useState<[number, string] | null>(null)
  const box = useRef<HTMLDivElement>(null)
  const asked = useRef(new Set<number>())
  const take = (window: Window) => {
    setHead(window)
    setLines((was) => new Map([...was, ...window.lines.map((line): [number, Line] => [line.number, line])]))
  }
  const fetchFrom = (after: number, anew = false) => {
    if (asked.current.has(after) && !anew) return
    asked.current.add(after)
    get<Window>(`/api/tables/${id}?after=${after}`).then(take, fail)
  }
  const first = Math.floor(span[0] / STEP) * STEP
  useEffect(() => {
    fetchFrom(first)
    if (span[1] > first + STEP) fetchFrom(first + STEP)
  }, [first, span[1] > first + STEP])
  // while a process is at work on it, what is looked at is read again and again
  const working = head?.table.working ?? true
  useEffect(() => {
    if (!working) return
    const timer = setInterval(() => fetchFrom(first, true), LOOK_MS)
    return () => clearInterval(timer)
  }, [first, working])
  const scrolled = () => {
    const place = box.current
    if (!place) return
    const top = Math.max(0, Math.floor(place.scrollTop / ROW) - 10)
    setSpan([top, top + Math.ceil(place.clientHeight / ROW) + 20])
  }
  useEffect(scrolled, [head === null])
  const table = head?.table
  const columns = head?.columns ?? []
  const rows = table?.rows ?? 0
  const setRow = (row: TableRow) => setHead((was) => was && { ...was, table: row })
  const more = async (what: { statuses?: Status[]; cells?: string[]; now?: boolean }) => {
    try {
      setRow(await post<TableRow>(`/api/tables/${id}/resume`, what))
      setPicked(null)
      tell("It goes on. What is answered stays.")
    } catch (error) {
      fail(error)
    }
  }
  const stop = () => post<TableRow>(`/api/tables/${id}/stop`).then(setRow, fail)
  const shape = { gridTemplateColumns: `56px 220px ${columns.map(() => "180px").join(" ")}` }
  const seen = Array.from({ length: Math.max(0, Math.min(rows, span[1]) - span[0]) }, (_, at) => span[0] + at + 1)
  return (
    <div class="form big">
      <header class="top">
        <a class="btn icon ghost" href="#/tables" aria-label="All tables">
          <ArrowLeft />
        </a>
        <h1>{table?.question ?? "…"}</h1>
        {table && <span class={`state ${table.working ? "info" : ""}`}>{table.working ? `Working: ${table.done} of ${table.rows}` : `${table.done} of ${table.rows}`}</span>}
        <div class="tools">
          {table?.here && (
            <button class="sm" onClick={stop}>
              <Square size={14} /> Stop
            </button>
          )}
          {table && !table.working && table.done < table.rows && (
            <button class="sm pri" onClick={() => more({})}>
              Go on
            </button>
          )}
          {table && !table.working && table.done < table.rows && table.batch && (
            <button class="sm" onClick={() => more({ now: true })}>
              Ask at once, at the usual price
            </button>
          )}
          {KINDS.map(([kind, words]) => (
            <a key={kind} class="btn sm" href={`/api/tables/${id}/export?kind=${kind}`} download>
              <Download size={14} /> {words}
            </a>
          ))}
        </div>
      </header>
      {table?.problem && !table.working && (
        <div class="notice bad" role="alert">
          <Alert />
          <p>
            <b>The work broke off.</b> {table.problem}
          </p>
        </div>
      )}
      {table && (
        <div class="legend">
          <span>{counts(table)}</span>
          <span>
            By {table.model === "offline" ? "rules only" : table.model}{table.batch && ", in batches"}, {money(table.cost_usd)}
            {table.budget_usd !== null && ` of ${money(table.budget_usd)}`}
          </span>
          {table.doing && <span>{table.doing}</span>}
          <span class="mut">Choose a cell to see what it rests on.</span>
          {!table.working &&
            AGAIN.filter(([status]) => table.cells[status]).map(([status, words]) => (
              <button key={status} class="sm" onClick={() => more({ statuses: [status] })}>
                Answer the {table.cells[status]} {words} again
              </button>
            ))}
        </div>
      )}
      <div class="sheetbox" ref={box} onScroll={scrolled} tabIndex={0} role="region" aria-label="The sheet">
        <div class="grid" role="table" aria-label={table?.question ?? "Table"} aria-rowcount={rows + 1} aria-colcount={columns.length + 2} style={{ height: `${(rows + 1) * ROW}px` }}>
          <div role="row" class="titles" aria-rowindex={1} style={{ ...shape, position: "sticky" }}>
            <span role="columnheader">#</span>
            <span role="columnheader">Document</span>
            {columns.map((column) => (
              <span role="columnheader" key={column.name} title={column.question}>
                {column.name}
              </span>
            ))}
          </div>
          {seen.map((number) => {
            const line = lines.get(number)
            return (
              <div role="row" key={number} aria-rowindex={number + 1} style={{ ...shape, top: `${number * ROW}px` }}>
                <span role="cell" class="mut">
                  {number}
                </span>
                <span role="rowheader" title={line?.document}>
                  {line?.document ?? "…"}
                </span>
                {columns.map((column, at) => (
                  <span role="cell" key={column.name}>
                    <Value cell={line?.cells[at]} pick={() => setPicked([number, column.name])} />
                  </span>
                ))}
              </div>
            )
          })}
        </div>
      </div>
      {picked && <Proof id={id} row={picked[0]} column={picked[1]} question={columns.find((one) => one.name === picked[1])?.question ?? ""} close={() => setPicked(null)} again={working ? undefined : () => more({ cells: [`${picked[0]}:${picked[1]}`] })} />}
    </div>
  )
}

function shown(cell: Brief | Cell): string {
  return `${SIGNS[cell.status]}${[cell.value, cell.unit].filter(Boolean).join(" ")}`
}

function Value({ cell, pick }: { cell: Brief | undefined; pick: () => void }) {
  if (!cell) return <>…</>
  return (
    <button class={`cell ${cell.status}`} onClick={pick}>
      {shown(cell) || "–"}
      {cell.status !== "checked" && <span class="unseen"> {cell.status.replace("_", " ")}</span>}
    </button>
  )
}

function Proof({ id, row, column, question, close, again }: { id: string; row: number; column: string; question: string; close: () => void; again?: () => void }) {
  const [found, setFound] = useState<Evidence | null>(null)
  useEffect(() => void get<Evidence>(`/api/tables/${id}/rows/${row}`).then(setFound).catch(fail), [])
  const cell = found?.cells.find((one) => one.column === column)
  const place = cell && [cell.page && `page ${cell.page}`, cell.place || (cell.paragraph && `paragraph ${cell.paragraph}`)].filter(Boolean).join(", ")
  return (
    <Dialog title={column} close={close} wide>
      <p class="ink2">{question}</p>
      {!cell && <div class="bone late" />}
      {found && cell && (
        <>
          <p>
            <b>{shown(cell) || "Nothing"}</b> <span class="mut s13">{WORDS[cell.status]}</span>
          </p>
          {cell.quote && (
            <blockquote class="quote" tabIndex={0}>
              {cell.quote}
            </blockquote>
          )}
          {cell.why && <p class="s13 ink2">{cell.why}</p>}
          <p class="mut s13">
            {name(found.path)}
            {place && `, ${place}`}
            {cell.by && `. Answered by ${cell.by}`}
          </p>
          <footer>
            <span class="mut s13">{again ? "The document is read again for this cell." : "It can be answered again when the work is done."}</span>
            <button disabled={!again} onClick={again}>
              Answer it again
            </button>
          </footer>
        </>
      )}
    </Dialog>
  )
}
