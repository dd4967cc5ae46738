// What the work rests on: the files that were read and the places in them; and one of them, opened at its place.
import { useEffect, useRef, useState } from "preact/hooks"
import { get } from "./api"
import { Book, TextRows } from "./Book"
import type { Drawn, Excerpt, Opened, Passage, SourceFile, Sources as All, Words } from "./contract.gen"
import { ArrowLeft, FileText, Sheet as SheetMark } from "./icons"
import { isBook, isPaged, isRows, isWorded, look, looked, query, type At } from "./places"
import { go, open } from "./store"
import "./views.css"
import { why } from "./why"
import { count, name } from "./words"

export function Sources({ thread }: { thread: string }) {
  const now = looked.value
  if (now?.thread === thread) return <Source key={JSON.stringify(now.at)} thread={thread} at={now.at} />
  return <List thread={thread} />
}

function List({ thread }: { thread: string }) {
  const [files, setFiles] = useState<readonly SourceFile[] | null>(null)
  const [problem, setProblem] = useState("")
  const last = open.value?.story.last
  useEffect(() => {
    const read = () =>
      get<All>(`/api/threads/${thread}/sources`).then(
        (all) => setFiles(all.files),
        (error) => setProblem(why(error)),
      )
    // while it works much comes at once
    const timer = setTimeout(read, files ? 1_000 : 0)
    return () => clearTimeout(timer)
  }, [thread, last])
  return (
    <div class="pad sources">
      <p class="mut s13">What was read for this work, and the places in it that were recorded. Each opens where the words stand.</p>
      {problem && <p class="bad s13">{problem}</p>}
      {files?.length === 0 && <p class="s13">Nothing was read yet.</p>}
      {files?.map((file) => (
        <section key={file.path} aria-label={name(file.path)}>
          <button class="f" onClick={() => look(thread, { path: file.path, source: "", where: {}, quote: "" })}>
            {isBook(file.path) || isRows(file.path) ? <SheetMark /> : <FileText />}
            <span class="t">
              <b>{name(file.path)}</b>
              <span class="mut s12 line">{file.places.length ? count(file.places.length + file.more, "place") : "read"}</span>
            </span>
          </button>
          {file.places.length > 0 && (
            <ul class="loci">
              {file.places.slice(0, 30).map((one) => (
                <li key={one.id}>
                  <button class="locus" onClick={() => look(thread, { path: file.path, source: one.id, where: one.where, quote: one.quote })}>
                    <span class="cite">{one.label || "there"}</span>
                    <span class="t">{one.quote || one.value}</span>
                  </button>
                </li>
              ))}
            </ul>
          )}
          {file.places.length + file.more > 30 && <p class="mut s12">and {file.places.length + file.more - 30} more in the record</p>}
        </section>
      ))}
    </div>
  )
}

function Source({ thread, at }: { thread: string; at: At }) {
  const head = useRef<HTMLHeadingElement>(null)
  const paged = isPaged(at.path)
  const worded = isWorded(at.path)
  const [page, setPage] = useState(paged && !worded)
  useEffect(() => head.current?.focus(), [])
  const back = () => {
    looked.value = null
    go(`/t/${thread}/sources`)
  }
  return (
    <div class="pad source">
      <button class="f" onClick={back}>
        <ArrowLeft size={14} /> All sources
      </button>
      <div class="hd">
        <h2 ref={head} tabIndex={-1}>
          {name(at.path)}
        </h2>
        {paged && worded && (
          <span class="seg" role="group" aria-label="How it is shown">
            <button class="sm" aria-pressed={!page} onClick={() => setPage(false)}>
              Words
            </button>
            <button class="sm" aria-pressed={page} onClick={() => setPage(true)}>
              Page
            </button>
          </span>
        )}
      </div>
      {isBook(at.path) ? <Book thread={thread} at={at} /> : isRows(at.path) ? <TextTable thread={thread} at={at} /> : page ? <PageOf thread={thread} at={at} /> : <WordsOf thread={thread} at={at} />}
    </div>
  )
}

function TextTable({ thread, at }: { thread: string; at: At }) {
  const [words, setWords] = useState<Words | null>(null)
  const [problem, setProblem] = useState("")
  useEffect(() => {
    get<Words>(`/api/threads/${thread}/files/words?path=${encodeURIComponent(at.path)}`).then(setWords, (error) => setProblem(why(error)))
  }, [])
  const here = { ...at, where: at.where.line ? { row: at.where.line } : at.where }
  return (
    <>
      {problem && (
        <p class="bad s13" role="alert">
          {problem}
        </p>
      )}
      {words && <TextRows words={words} at={here} />}
    </>
  )
}

function WordsOf({ thread, at }: { thread: string; at: At }) {
  const [shown, setShown] = useState<Excerpt | null>(null)
  const [changed, setChanged] = useState(false)
  const [problem, setProblem] = useState("")
  const [waits, setWaits] = useState(true)
  const goal = useRef<HTMLElement>(null)
  const ask = (where: Record<string, string | number>) => get<Opened>(`/api/threads/${thread}/place${query(at, where)}`)
  useEffect(() => {
    ask({ ...at.where, quote: at.quote }).then(
      (found) => {
        setShown(found.excerpt)
        setChanged(found.changed)
        setWaits(false)
      },
      (error) => {
        setProblem(why(error))
        setWaits(false)
      },
    )
  }, [])
  useEffect(() => goal.current?.scrollIntoView({ block: "center" }), [shown?.at])
  const more = (paragraph: number) => {
    setWaits(true)
    ask({ paragraph }).then(
      ({ excerpt }) => {
        const known = new Map([...excerpt.paragraphs, ...shown!.paragraphs].map((one): [number, Passage] => [one.paragraph, one]))
        setShown({ ...shown!, paragraphs: [...known.values()].sort((a, b) => a.paragraph - b.paragraph) })
        setWaits(false)
      },
      (error) => {
        setProblem(why(error))
        setWaits(false)
      },
    )
  }
  const first = shown?.paragraphs[0]?.paragraph ?? 1
  const last = shown?.paragraphs.at(-1)?.paragraph ?? 1
  return (
    <>
      <div aria-live="polite">
        {waits && <p class="s13 mut">Looking for the place in a virtual machine…</p>}
        {problem && <p class="s13 bad">{problem}</p>}
        {shown && !shown.found && <p class="s13 attention">{at.quote ? "These words were not found in it; this is the place that was named." : "There is no such place in it; this is its beginning."}</p>}
        {changed && <p class="s13 attention">The file has changed since it was read: this is how it is now.</p>}
      </div>
      {shown && (
        <>
          {first > 1 && (
            <button class="sm" disabled={waits} onClick={() => more(Math.max(1, first - 15))}>
              Earlier paragraphs
            </button>
          )}
          <div class="paragraphs" tabIndex={0} role="region" aria-label={`${name(at.path)}, around the place`}>
            {shown.paragraphs.map((one, n) => (
              <div key={one.paragraph}>
                {one.page > 0 && one.page !== shown.paragraphs[n - 1]?.page && <p class="pagemark s12">Page {one.page}</p>}
                <p class={one.paragraph === shown.at ? "goal" : ""} ref={one.paragraph === shown.at ? (goal as never) : undefined}>
                  <span class="pilcrow s12">¶ {one.paragraph}</span>
                  {one.number && `${one.number} `}
                  <Marked passage={one} />
                </p>
              </div>
            ))}
          </div>
          {last < shown.last && (
            <button class="sm" disabled={waits} onClick={() => more(last + 1)}>
              Later paragraphs
            </button>
          )}
        </>
      )}
    </>
  )
}

function Marked({ passage }: { passage: Passage }) {
  const letters = [...passage.text]
  const out = []
  let at = 0
  for (const [from, to] of passage.marks as [number, number][]) {
    if (from < at) continue
    out.push(letters.slice(at, from).join(""), <mark key={from}>{letters.slice(from, to).join("")}</mark>)
    at = to
  }
  out.push(letters.slice(at).join(""))
  return <>{out}</>
}

function PageOf({ thread, at }: { thread: string; at: At }) {
  const [drawn, setDrawn] = useState<Drawn | null>(null)
  const [problem, setProblem] = useState("")
  const [waits, setWaits] = useState(true)
  const mark = useRef<HTMLSpanElement>(null)
  const draw = (page: string | number, quote: string) => {
    setWaits(true)
    get<Drawn>(`/api/threads/${thread}/place/page${query(at, { page, quote })}`).then(
      (found) => {
        setDrawn(found)
        setWaits(false)
      },
      (error) => {
        setProblem(why(error))
        setWaits(false)
      },
    )
  }
  useEffect(() => draw(at.where.page ?? "", at.quote), [])
  useEffect(() => mark.current?.scrollIntoView({ block: "center" }), [drawn])
  const percent = (share: number) => `${share * 100}%`
  return (
    <>
      <div aria-live="polite">
        {waits && <p class="s13 mut">Drawing the page in a virtual machine of its own. The first time this takes a moment…</p>}
        {problem && <p class="s13 bad">{problem}</p>}
        {drawn && at.quote && !drawn.found && <p class="s13 attention">These words were not found on its pages.</p>}
      </div>
      {drawn && (
        <>
          <div class="b">
            <button class="sm" disabled={waits || drawn.page <= 1} onClick={() => draw(drawn.page - 1, "")}>
              Page before
            </button>
            <span class="s13 t mid-words">
              Page {drawn.page} of {drawn.of}
            </span>
            <button class="sm" disabled={waits || drawn.page >= drawn.of} onClick={() => draw(drawn.page + 1, "")}>
              Next page
            </button>
          </div>
          <div class="drawn">
            <img src={drawn.picture} alt={`${name(at.path)}, page ${drawn.page}${drawn.found ? ", with the words marked" : ""}`} />
            {drawn.boxes.map((box, n) => (
              <span key={n} ref={n ? undefined : mark} class="hitbox" aria-hidden="true" style={{ left: percent(box[0]!), top: percent(box[1]!), width: percent(box[2]!), height: percent(box[3]!) }} />
            ))}
          </div>
        </>
      )}
    </>
  )
}
