// The thread's folders as they are on the disk: what lies there, and a file as it looks or what it says.
import { useEffect, useRef, useState } from "preact/hooks"
import { get } from "./api"
import { Book, TextRows } from "./Book"
import type { Lying, Pages as Drawn, Shelf, Words } from "./contract.gen"
import { ArrowLeft, Download, FileText, Folder } from "./icons"
import { Markdown } from "./markdown"
import { isBook } from "./places"
import "./details.css"
import "./views.css"
import { why } from "./why"
import { name, size } from "./words"

const PICTURED = /\.(pdf|docx|pptx|png|jpe?g|gif)$/i
const WORDED = /\.(docx|docm|pdf)$/i

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
    if (!isBook(file.name)) void (PICTURED.test(file.name) ? draw() : read())
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
      {isBook(file.name) && <Book thread={thread} at={{ path: file.path, source: "", where: {}, quote: "", side: "disk" }} />}
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
        <TextRows words={words} />
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
