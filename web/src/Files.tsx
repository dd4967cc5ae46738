// The thread's folders as they are on the disk: what lies there, and a file as it looks or what it says.
import { useEffect, useRef, useState } from "preact/hooks"
import { get, Refused } from "./api"
import type { Lying, Pages as Drawn, Shelf, Words } from "./contract.gen"
import { ArrowLeft, Download, FileText, Folder } from "./icons"
import { Markdown } from "./markdown"
import "./views.css"
import { name, size } from "./words"

const PICTURED = /\.(pdf|docx|xlsx|pptx|png|jpe?g|gif)$/i
const WORDED = /\.(docx|docm|pdf)$/i
const ROW = 30
const why = (error: unknown) => (error instanceof Refused ? `${error.message} ${error.hint}`.trim() : "That did not work.")

export function Files({ thread }: { thread: string }) {
  const [path, setPath] = useState("")
  const [file, setFile] = useState<Lying | null>(null)
  const [shelf, setShelf] = useState<Shelf | null>(null)
  const [problem, setProblem] = useState("")
  useEffect(() => {
    let wanted = true
    setProblem("")
    get<Shelf>(`/api/threads/${thread}/files?path=${encodeURIComponent(path)}`).then(
      (found) => wanted && setShelf(found),
      (error) => wanted && setProblem(why(error)),
    )
    return () => {
      wanted = false
    }
  }, [thread, path])
  if (file) return <Opened key={file.path} thread={thread} file={file} close={() => setFile(null)} />
  const above = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ""
  return (
    <div class="pad">
      <p class="mut s13">As they are on the disk. What a run changes stands under Changes until you apply it.</p>
      {path && (
        <button class="f" onClick={() => setPath(above)}>
          <ArrowLeft size={14} /> Back to {above || "all folders"}
        </button>
      )}
      {problem && (
        <p class="bad s13" role="alert">
          {problem}
        </p>
      )}
      <ul aria-label={path || "Folders of this thread"}>
        {shelf?.entries.map((one) => (
          <li key={one.path}>
            <button class="f" onClick={() => (one.size === null ? setPath(one.path) : setFile(one))}>
              {one.size === null ? <Folder /> : <FileText />}
              <span class="t">
                <b>{one.name}</b>
              </span>
              {one.size !== null && <span class="mut s12">{size(one.size)}</span>}
            </button>
          </li>
        ))}
      </ul>
      {shelf?.entries.length === 0 && <p class="mut s13">{path ? "Nothing that can be shown lies here." : "This thread has no folders."}</p>}
      {shelf?.cut && <p class="mut s13">There is more here than can be shown.</p>}
    </div>
  )
}

function Opened({ thread, file, close }: { thread: string; file: Lying; close: () => void }) {
  const [pictures, setPictures] = useState<string[]>([])
  const [more, setMore] = useState(false)
  const [words, setWords] = useState<Words | null>(null)
  const [doing, setDoing] = useState("")
  const [problem, setProblem] = useState("")
  const head = useRef<HTMLHeadingElement>(null)
  const at = `/api/threads/${thread}/files`
  const query = `path=${encodeURIComponent(file.path)}`
  const draw = async () => {
    setDoing("Drawing its pages in a virtual machine of their own. The first time this takes minutes…")
    try {
      const drawn = await get<Drawn>(`${at}/pages?${query}&first=${pictures.length + 1}`)
      setPictures([...pictures, ...drawn.pictures])
      setMore(drawn.more)
    } catch (error) {
      setMore(false)
      setProblem(why(error))
    }
    setDoing("")
  }
  const read = async () => {
    setDoing(WORDED.test(file.name) ? "Taking its words out in a virtual machine…" : "Reading…")
    try {
      setWords(await get<Words>(`${at}/words?${query}`))
      setProblem("")
    } catch (error) {
      setProblem(why(error))
    }
    setDoing("")
  }
  useEffect(() => {
    head.current?.focus()
    void (PICTURED.test(file.name) ? draw() : read())
  }, [])
  return (
    <div class="pad">
      <button class="f" onClick={close}>
        <ArrowLeft size={14} /> Back to {file.path.slice(0, file.path.lastIndexOf("/"))}
      </button>
      <div class="hd">
        <h2 ref={head} tabIndex={-1}>
          {file.name}
        </h2>
        <a class="btn sm" href={`${at}/file?${query}`} download>
          <Download size={14} /> Download
        </a>
      </div>
      <div aria-live="polite">
        {doing && <p class="s13 mut">{doing}</p>}
        {problem && <p class="s13 bad">{problem}</p>}
      </div>
      {problem && !doing && !words && WORDED.test(file.name) && (
        <button class="sm" onClick={read}>
          Show its words instead
        </button>
      )}
      <div class="seen">
        {pictures.map((picture, page) => (
          <img key={page} src={picture} alt={`${name(file.name)}, page ${page + 1}`} />
        ))}
      </div>
      {more && (
        <button class="sm" disabled={doing !== ""} onClick={draw}>
          More pages
        </button>
      )}
      {words && <Said words={words} />}
    </div>
  )
}

function Said({ words }: { words: Words }) {
  const kind = /\.(\w+)$/.exec(words.path)?.[1]?.toLowerCase() ?? ""
  return (
    <>
      {kind === "csv" || kind === "tsv" ? (
        <Rows text={words.text} mark={kind === "tsv" ? "\t" : words.text.split("\n", 1)[0]!.includes(";") ? ";" : ","} />
      ) : kind === "md" || kind === "markdown" ? (
        <div class="answer">
          <Markdown text={words.text} />
        </div>
      ) : (
        <pre class="words" tabIndex={0}>
          {words.text}
        </pre>
      )}
      {words.cut && <p class="mut s13">This is its beginning; take it away to see the rest.</p>}
    </>
  )
}

// fields of RFC 4180: quotes may hold the mark, line ends, and doubled quotes
export function fields(text: string, mark: string): string[][] {
  const rows: string[][] = [[]]
  let field = ""
  let quoted = false
  const end = () => {
    rows[rows.length - 1]!.push(field)
    field = ""
  }
  for (let at = 0; at < text.length; at += 1) {
    const one = text[at]!
    if (quoted) {
      if (one !== '"') field += one
      else if (text[at + 1] === '"') {
        field += one
        at += 1
      } else quoted = false
    } else if (one === '"' && field === "") quoted = true
    else if (one === mark) end()
    else if (one === "\n") {
      end()
      rows.push([])
    } else if (one !== "\r") field += one
  }
  if (field || rows[rows.length - 1]!.length) end()
  else rows.pop()
  return rows
}

// only the rows in sight are drawn, however many there are
function Rows({ text, mark }: { text: string; mark: string }) {
  const [rows] = useState(() => fields(text, mark))
  const [top, setTop] = useState(0)
  const width = Math.max(...rows.slice(0, 1000).map((row) => row.length), 1)
  const seen = rows.slice(top, top + 40)
  const shape = { gridTemplateColumns: `52px repeat(${width}, 140px)` }
  return (
    <div class="sheetbox csv" tabIndex={0} role="region" aria-label="Its rows" onScroll={(event) => setTop(Math.max(0, Math.floor(event.currentTarget.scrollTop / ROW) - 10))}>
      <div class="grid" role="table" aria-label="Its rows" aria-rowcount={rows.length} aria-colcount={width} style={{ height: `${rows.length * ROW}px` }}>
        {seen.map((row, at) => (
          <div role="row" key={top + at} aria-rowindex={top + at + 1} style={{ ...shape, top: `${(top + at) * ROW}px` }}>
            <span role="rowheader" class="mut">
              {top + at + 1}
            </span>
            {row.map((field, column) => (
              <span role="cell" key={column} title={field}>
                {field}
              </span>
            ))}
          </div>
        ))}
      </div>
    </div>
  )
}
