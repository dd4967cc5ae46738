// The same questions of many documents: which documents, which questions, what it costs at most, and the start.
import { useEffect, useState } from "preact/hooks"
import { get, post, Refused } from "./api"
import type { Documents, Heading, Priced, TableRow } from "./contract.gen"
import { FolderPicker } from "./FolderPicker"
import { ArrowLeft, Cross, FileText, Folder, Plus } from "./icons"
import { desk, draft, dropDraft, fail, go, keepDraft } from "./store"
import { count, money, name as last, size } from "./words"

type Kind = Heading["kind"]
const KINDS: [Kind, string][] = [
  ["text", "Words"],
  ["number", "A number"],
  ["money", "An amount of money"],
  ["date", "A date"],
  ["yes_no", "Yes or no"],
  ["choice", "One of a list"],
]
type Pick = "only" | "first" | "last"
const PICKS: [Pick, string][] = [
  ["only", "Mark the cell as disputed"],
  ["first", "Take the first"],
  ["last", "Take the last"],
]
interface Question {
  key: number
  name: string
  question: string
  kind: Kind
  choices: string
  patterns: string
  no: string
  pick: Pick
}
const SHOWN = 200
const DRAFT = "table"
const lines = (text: string) => text.split("\n").map((one) => one.trim()).filter(Boolean)

let next = 0
const blank = (): Question => ({ key: (next += 1), name: "", question: "", kind: "text", choices: "", patterns: "", no: "", pick: "only" })

interface Kept {
  about: string
  folder: string
  below: boolean
  questions: Question[]
}

// what was typed before a reload; anything odd in it is a fresh beginning
function kept(): Kept {
  try {
    const found = JSON.parse(draft(DRAFT)) as Kept
    const questions = found.questions.map((one) => ({ ...blank(), ...one, key: (next += 1) }))
    if (questions.length) return { about: String(found.about), folder: String(found.folder), below: found.below === true, questions }
  } catch {
    // none was kept
  }
  return { about: "", folder: "", below: false, questions: [blank()] }
}

export function NewTable() {
  const [from] = useState(kept)
  const [about, setAbout] = useState(from.about)
  const [folder, setFolder] = useState(from.folder)
  const [below, setBelow] = useState(from.below)
  const [found, setFound] = useState<Documents | null>(null)
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set())
  const [questions, setQuestions] = useState(from.questions)
  const [model, setModel] = useState(desk.value?.model ?? "offline")
  const [budget, setBudget] = useState("")
  const [batch, setBatch] = useState(false)
  const [picking, setPicking] = useState(false)
  const [priced, setPriced] = useState<Priced | null>(null)
  const [busy, setBusy] = useState<"" | "price" | "start">("")
  useEffect(() => {
    keepDraft(DRAFT, JSON.stringify({ about, folder, below, questions }))
  }, [about, folder, below, questions])
  // what was shown is what begins: whatever changes has to be looked at again
  useEffect(() => setPriced(null), [about, folder, below, left, questions, model, budget, batch])
  useEffect(() => {
    setFound(null)
    setLeft(new Set())
    if (!folder) return
    let wanted = true
    get<Documents>(`/api/documents?folder=${encodeURIComponent(folder)}&below=${below ? 1 : 0}`).then((all) => wanted && setFound(all), fail)
    return () => {
      wanted = false
    }
  }, [folder, below])
  const here = desk.value
  const names = found?.files.map((file) => file.name).filter((one) => !left.has(one)) ?? []
  const asked = questions.filter((one) => one.name.trim() || one.question.trim())
  const lacks =
    (!about.trim() && "Say what the table is about.") ||
    (!names.length && "Choose documents.") ||
    (!asked.length && "Write a question.") ||
    (asked.some((one) => !one.name.trim() || !one.question.trim()) && "Each question needs a heading and its words.") ||
    (asked.some((one) => one.kind === "choice" && lines(one.choices).length < 2) && "Write the list that is chosen from, one a line.") ||
    (model === "offline" && asked.some((one) => !lines(one.patterns).length && !lines(one.no).length) && "Without a language model each question needs a pattern.") ||
    (budget !== "" && !(Number(budget) > 0) && "The most that it may cost is a number above 0.") ||
    ""
  const price = async () => {
    if (lacks || busy) return
    setBusy("price")
    try {
      setPriced(
        await post<Priced>("/api/tables/plan", {
          question: about.trim(),
          folder,
          names,
          model,
          budget_usd: budget ? Number(budget) : null,
          batch: batch && model !== "offline",
          columns: asked.map(column),
        }),
      )
    } catch (error) {
      fail(error)
    }
    setBusy("")
  }
  const start = async () => {
    if (!priced || busy) return
    setBusy("start")
    try {
      const row = await post<TableRow>("/api/tables", { plan: priced.id })
      dropDraft(DRAFT)
      go(`/tables/${row.id}`)
    } catch (error) {
      if (error instanceof Refused) setPriced(null)
      fail(error)
      setBusy("")
    }
  }
  const change = (key: number, what: Partial<Question>) => setQuestions(questions.map((one) => (one.key === key ? { ...one, ...what } : one)))
  return (
    <>
      <header class="top">
        <a class="btn icon ghost" href="#/tables" aria-label="All tables">
          <ArrowLeft />
        </a>
        <h1>New table</h1>
      </header>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault()
          void price()
        }}
      >
        <label for="b-about">What it is about</label>
        <input id="b-about" maxLength={1000} placeholder="What do the supplier agreements say?" value={about} onInput={(event) => setAbout(event.currentTarget.value)} />
        <fieldset>
          <legend>Documents</legend>
          <p class="mut s13">One row each. They are read, never changed: Word, PDF, Excel, PowerPoint, CSV and text files, and mails.</p>
          <div class="b wrap">
            <button type="button" onClick={() => setPicking(true)}>
              <Folder /> {folder ? last(folder) : "Choose a folder"}
            </button>
            {folder && (
              <label class="check">
                <input type="checkbox" checked={below} onChange={() => setBelow(!below)} />
                <span>With the folders in it</span>
              </label>
            )}
          </div>
          {folder && !found && <div class="bone late" />}
          {found && <Chosen found={found} left={left} setLeft={setLeft} />}
        </fieldset>
        <fieldset>
          <legend>Questions</legend>
          <p class="mut s13">One column each. The kind of answer decides how it is checked.</p>
          {questions.map((one, at) => (
            <Ask key={one.key} one={one} number={at + 1} change={(what) => change(one.key, what)} drop={questions.length > 1 ? () => setQuestions(questions.filter((other) => other !== one)) : undefined} />
          ))}
          <button type="button" disabled={questions.length >= 64} onClick={() => setQuestions([...questions, blank()])}>
            <Plus /> Another question
          </button>
        </fieldset>
        <div class="two">
          <div>
            <label for="b-model">Answered by</label>
            <select id="b-model" value={model} onChange={(event) => setModel(event.currentTarget.value)}>
              {here?.models.map((one) => (
                <option key={one.name} value={one.name} disabled={one.lacks !== ""}>
                  {one.name === "offline" ? "Rules only, no language model" : one.name}
                  {one.lacks && ` (${one.lacks})`}
                </option>
              ))}
            </select>
          </div>
          <div>
            <label for="b-budget">It may cost at most, US dollars</label>
            <input id="b-budget" inputMode="decimal" placeholder="What is estimated" value={budget} disabled={model === "offline"} onInput={(event) => setBudget(event.currentTarget.value)} />
          </div>
        </div>
        {model !== "offline" && (
          <label class="check">
            <input type="checkbox" checked={batch} onChange={() => setBatch(!batch)} />
            <span>
              In batches <span class="mut s13">For less, where the model offers it; the answers may take a day, and tables after this one wait for it.</span>
            </span>
          </label>
        )}
        <div class="b wrap">
          <button class={priced ? "" : "pri"} disabled={busy !== "" || lacks !== ""} aria-describedby="b-lacks">
            {busy === "price" ? "Reading some of them…" : "See what it takes"}
          </button>
          <span id="b-lacks" class="mut s13">
            {lacks || (busy === "price" ? "Some of the documents are read for the price, in a virtual machine." : priced ? "" : "Nothing is spent yet.")}
          </span>
        </div>
        {priced && <Price priced={priced} busy={busy !== ""} start={start} />}
      </form>
      {picking && here && (
        <FolderPicker
          start={folder || here.home}
          close={() => setPicking(false)}
          pick={(path) => {
            setPicking(false)
            setFolder(path)
          }}
        />
      )}
    </>
  )
}

function column(one: Question): object {
  return {
    name: one.name.trim(),
    question: one.question.trim(),
    type: one.kind,
    choices: one.kind === "choice" ? lines(one.choices) : [],
    patterns: lines(one.patterns),
    no_patterns: one.kind === "yes_no" ? lines(one.no) : [],
    pick: one.pick,
  }
}

function Chosen({ found, left, setLeft }: { found: Documents; left: ReadonlySet<string>; setLeft: (names: ReadonlySet<string>) => void }) {
  const [words, setWords] = useState("")
  const { files } = found
  if (!files.length) return <p class="s13">There is none that can be read here{found.others > 0 && `; ${count(found.others, "file")} of other kinds`}.</p>
  const seen = files.filter((file) => file.name.toLowerCase().includes(words.trim().toLowerCase()))
  const all = seen.every((file) => !left.has(file.name))
  const turn = (names: string[], on: boolean) => {
    const now = new Set(left)
    for (const one of names) on ? now.delete(one) : now.add(one)
    setLeft(now)
  }
  return (
    <>
      <div class="b wrap">
        <label class="check">
          <input type="checkbox" checked={all} onChange={() => turn(seen.map((file) => file.name), !all)} />
          <span>
            {files.length - left.size} of {count(files.length, "document")}
          </span>
        </label>
        {files.length > 8 && (
          <>
            <label class="unseen" for="b-find">
              Show only documents with
            </label>
            <input id="b-find" class="find-in" placeholder="Show only…" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
          </>
        )}
      </div>
      <ul class="docs" aria-label="Documents" tabIndex={0}>
        {seen.slice(0, SHOWN).map((file) => (
          <li key={file.name}>
            <label class="check">
              <input type="checkbox" checked={!left.has(file.name)} onChange={() => turn([file.name], left.has(file.name))} />
              <FileText size={14} />
              <span class="t">{file.name}</span>
              <span class="mut s12">{size(file.size)}</span>
            </label>
          </li>
        ))}
      </ul>
      <p class="mut s13">
        {seen.length > SHOWN && `The first ${SHOWN} are shown; the others are chosen as well. `}
        {found.cut && `Only the first ${files.length} of this folder can be chosen here. `}
        {found.others > 0 && `${count(found.others, "file")} of kinds that cannot be read here ${found.others === 1 ? "is" : "are"} left out.`}
      </p>
    </>
  )
}

function Ask({ one, number, change, drop }: { one: Question; number: number; change: (what: Partial<Question>) => void; drop?: () => void }) {
  const id = `q${one.key}`
  return (
    <div class="question" role="group" aria-label={`Question ${number}`}>
      <div class="q-line">
        <div>
          <label for={`${id}-name`}>Heading</label>
          <input id={`${id}-name`} maxLength={80} placeholder="Governing law" value={one.name} onInput={(event) => change({ name: event.currentTarget.value })} />
        </div>
        <div>
          <label for={`${id}-kind`}>The answer is</label>
          <select id={`${id}-kind`} value={one.kind} onChange={(event) => change({ kind: event.currentTarget.value as Kind })}>
            {KINDS.map(([kind, words]) => (
              <option key={kind} value={kind}>
                {words}
              </option>
            ))}
          </select>
        </div>
        {drop && (
          <button type="button" class="icon ghost" aria-label={`Remove question ${number}`} onClick={drop}>
            <Cross />
          </button>
        )}
      </div>
      <label for={`${id}-ask`}>Question</label>
      <input id={`${id}-ask`} maxLength={1000} placeholder="Which law governs the agreement?" value={one.question} onInput={(event) => change({ question: event.currentTarget.value })} />
      {one.kind === "choice" && (
        <>
          <label for={`${id}-list`}>Chosen from, one a line</label>
          <textarea id={`${id}-list`} rows={3} value={one.choices} onInput={(event) => change({ choices: event.currentTarget.value })} />
        </>
      )}
      <details>
        <summary>Answer it by rules</summary>
        <div class="edit">
          <p class="s13 ink2">
            Regular expressions that find the answer without a language model, one a line; the group <code>value</code> is the answer.
          </p>
          <label for={`${id}-yes`}>{one.kind === "yes_no" ? "It is yes where this stands" : "Patterns"}</label>
          <textarea id={`${id}-yes`} rows={2} spellcheck={false} placeholder="governed by the laws of (?P<value>[A-Z]\w+)" value={one.patterns} onInput={(event) => change({ patterns: event.currentTarget.value })} />
          {one.kind === "yes_no" && (
            <>
              <label for={`${id}-no`}>It is no where this stands</label>
              <textarea id={`${id}-no`} rows={2} spellcheck={false} value={one.no} onInput={(event) => change({ no: event.currentTarget.value })} />
            </>
          )}
          <label for={`${id}-pick`}>Where a document says different things</label>
          <select id={`${id}-pick`} value={one.pick} onChange={(event) => change({ pick: event.currentTarget.value as Pick })}>
            {PICKS.map(([pick, words]) => (
              <option key={pick} value={pick}>
                {words}
              </option>
            ))}
          </select>
        </div>
      </details>
    </div>
  )
}

function Price({ priced, busy, start }: { priced: Priced; busy: boolean; start: () => void }) {
  const cells = priced.rows * priced.columns
  const free = priced.estimate_usd === 0
  const by = priced.model === "offline" ? "rules only" : priced.model
  return (
    <section class="card price" aria-label="What it takes">
      <div class="t" role="status">
        <b>
          {count(priced.rows, "document")} × {count(priced.columns, "question")} = {count(cells, "cell")}, answered by {by}.
        </b>
        {free ? (
          <span class="line">{priced.model === "offline" ? "It is free, and nothing leaves this computer." : "It is free."}</span>
        ) : (
          <span class="line">
            The text of all documents goes to {by}.{" "}
            {priced.estimate_usd === null
              ? "What it will cost is not known: the model's price is unknown, or none of the sample could be read."
              : `It costs at most about ${money(priced.estimate_usd)}, estimated from ${priced.sampled} of the documents.`}
          </span>
        )}
        {priced.batch && <span class="line">It is sent in batches, so that it may take a day. Stop it, and it can be asked at once instead.</span>}
        {priced.budget_usd !== null && <span class="line">It stops before it costs more than {money(priced.budget_usd)}.</span>}
        {Object.entries(priced.unreadable).map(([file, why]) => (
          <span class="line bad s13" key={file}>
            {file}: {why}
          </span>
        ))}
      </div>
      <button type="button" class="pri" disabled={busy} onClick={start}>
        Start
      </button>
    </section>
  )
}
