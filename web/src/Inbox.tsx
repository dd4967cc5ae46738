// Everything that waits for the user: each thing is answered where it stands, on a phone in a sheet.
import { useEffect, useState } from "preact/hooks"
import "./views.css"
import { post } from "./api"
import type { Made, Waits } from "./contract.gen"
import { Dialog } from "./Dialog"
import { Alert, ArrowLeft, CircleCheck, Hand, ListChecks } from "./icons"
import { fail, go, tell } from "./store"
import { inbox, loadInbox } from "./waits"
import { count, inZone, label, stop, when } from "./words"

const GROUPS: [string, Waits["kind"][]][] = [
  ["Waiting for your answer", ["approval", "question"]],
  ["Did not work", ["failure"]],
  ["Ready for your review", ["deliverable"]],
]

export function View() {
  const items = inbox.value
  const small = usePhone()
  const [shown, setShown] = useState("")
  const open = items?.find((item) => item.id === shown)
  useEffect(() => void loadInbox(), [])
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/" aria-label="All threads">
          <ArrowLeft />
        </a>
        <h1>Inbox</h1>
        {items && items.length > 0 && <span class="mut s13">{count(items.length, "thing waits", "things wait")} for you</span>}
      </header>
      <div class="form waits">
        {items?.length === 0 && (
          <section class="blank">
            <CircleCheck size={28} class="ok" />
            <h2>Nothing waits for you</h2>
            <p>Questions, approvals, what failed and what is finished come here, from every thread and schedule.</p>
          </section>
        )}
        {GROUPS.map(([title, kinds]) => {
          const members = items?.filter((item) => kinds.includes(item.kind)) ?? []
          if (!members.length) return null
          return (
            <section key={title} aria-label={title}>
              <h2>
                {title} <span class="mut">{members.length}</span>
              </h2>
              <ul>
                {members.map((item) => (
                  <li key={item.id}>{small ? <Short item={item} show={() => setShown(item.id)} /> : <Whole item={item} />}</li>
                ))}
              </ul>
            </section>
          )
        })}
      </div>
      {open && small && <Sheet item={open} close={() => setShown("")} />}
    </>
  )
}

export function Sheet({ item, close }: { item: Waits; close: () => void }) {
  return (
    <Dialog title={heading(item)} close={close} sheet>
      <Answer item={item} done={close} />
    </Dialog>
  )
}

function usePhone(): boolean {
  const narrow = "(max-width: 799px)"
  const [small, setSmall] = useState(matchMedia(narrow).matches)
  useEffect(() => {
    const query = matchMedia(narrow)
    const changed = () => setSmall(query.matches)
    query.addEventListener("change", changed)
    return () => query.removeEventListener("change", changed)
  }, [])
  return small
}

function heading(item: Waits): string {
  if (item.kind === "approval") return `May this be done: ${item.sentence}?`
  if (item.kind === "question") return item.text
  return item.title
}

function Mark({ kind }: { kind: Waits["kind"] }) {
  if (kind === "failure") return <Alert class="bad" />
  return kind === "deliverable" ? <ListChecks class="ok" /> : <Hand class="hand" />
}

function Short({ item, show }: { item: Waits; show: () => void }) {
  return (
    <button class={`short ${item.kind}`} aria-haspopup="dialog" onClick={show}>
      <Mark kind={item.kind} />
      <span class="t">
        <b>{heading(item)}</b>
        <span class="mut s13">{item.kind === "approval" || item.kind === "question" ? item.title : inZone(item.text)}</span>
      </span>
    </button>
  )
}

function Whole({ item }: { item: Waits }) {
  return (
    <section class={`wait ${item.kind}`} aria-labelledby={`h-${item.id}`}>
      <h3 id={`h-${item.id}`}>
        <Mark kind={item.kind} /> {heading(item)}
      </h3>
      <Answer item={item} done={() => undefined} />
    </section>
  )
}

function Answer({ item, done }: { item: Waits; done: () => void }) {
  const [sent, setSent] = useState(false)
  const act = async (work: () => Promise<unknown>, said: string) => {
    setSent(true)
    try {
      await work()
      tell(said)
      done()
    } catch (error) {
      fail(error)
    }
    setSent(false)
    await loadInbox()
  }
  const thread = `/api/threads/${item.thread}`
  const decide = (allow: boolean) =>
    act(() => post<Made>(`${thread}/decisions`, { use: item.use, arguments: item.arguments, allow }), allow ? "Allowed once." : "Not allowed.")
  return (
    <>
      <Facts item={item} />
      {item.kind === "question" && (
        <Reply item={item} busy={sent} send={(text) => act(() => post<Made>(`${thread}/messages`, { text }), "Answered. The work goes on.")} />
      )}
      <div class="b wrap">
        {item.kind === "approval" && (
          <>
            <button class="pri" disabled={sent} onClick={() => decide(true)}>
              Allow once
            </button>
            <button disabled={sent} onClick={() => decide(false)}>
              Don't allow
            </button>
          </>
        )}
        {item.kind === "deliverable" && (
          <a class="btn pri" href={`#/t/${item.thread}/changes`}>
            Review
          </a>
        )}
        {item.kind === "failure" && item.thread && (
          <button class="yes" disabled={sent} onClick={() => act(() => post<Made>(`${thread}/resume`), "It goes on.")}>
            Go on
          </button>
        )}
        {(item.kind === "failure" || item.kind === "deliverable") && (
          <button class="ghost" disabled={sent} onClick={() => act(() => post<Made>(`/api/inbox/${item.id}/dismiss`), "Out of the inbox; the thread stays.")}>
            Take out of the inbox
          </button>
        )}
        {item.thread && (
          <button class="ghost" onClick={() => go(`/t/${item.thread}`)}>
            Open the thread
          </button>
        )}
      </div>
    </>
  )
}

function Facts({ item }: { item: Waits }) {
  const rows = item.shown.map((line): [string, string] => {
    const at = line.indexOf(": ")
    return at < 0 ? ["", line] : [line.slice(0, at), line.slice(at + 2)]
  })
  return (
    <>
      {item.kind === "approval" && <p>{item.sends ? "This leaves your computer. It cannot be taken back." : "This one call, with exactly this:"}</p>}
      {(item.kind === "failure" || item.kind === "deliverable") && <p>{inZone(item.text)}</p>}
      <dl class="facts">
        {rows.map(([name, value], at) => (
          <div key={at}>
            <dt>{label(name)}</dt>
            <dd tabIndex={stop(value)}>{value}</dd>
          </div>
        ))}
        {item.why && (
          <div>
            <dt>Why</dt>
            <dd tabIndex={stop(item.why)}>{item.why}</dd>
          </div>
        )}
        {item.kind !== "failure" && item.kind !== "deliverable" && (
          <div>
            <dt>Thread</dt>
            <dd>{item.title}</dd>
          </div>
        )}
        <div>
          <dt>Since</dt>
          <dd>{when(item.since)}</dd>
        </div>
        {item.deadline && (
          <div>
            <dt>Until</dt>
            <dd>{when(item.deadline)}; then the answer is no</dd>
          </div>
        )}
      </dl>
    </>
  )
}

function Reply({ item, busy, send }: { item: Waits; busy: boolean; send: (text: string) => void }) {
  const [text, setText] = useState("")
  return (
    <form
      class="reply"
      onSubmit={(event) => {
        event.preventDefault()
        if (text.trim()) send(text.trim())
      }}
    >
      {item.choices.length > 0 && (
        <div class="b wrap">
          {item.choices.map((choice) => (
            <button key={choice} type="button" disabled={busy} onClick={() => send(choice)}>
              {choice}
            </button>
          ))}
        </div>
      )}
      <label for={`a-${item.id}`}>{item.choices.length ? "Or in your own words" : "Your answer"}</label>
      <div class="pathline">
        <input id={`a-${item.id}`} value={text} maxLength={20_000} onInput={(event) => setText(event.currentTarget.value)} />
        <button class="pri" disabled={busy || !text.trim()}>
          Answer
        </button>
      </div>
    </form>
  )
}
