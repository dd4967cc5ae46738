// One thread: its head, what was said and done, and the place to say more.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks"
import { patch, post, remove } from "./api"
import { BlockView } from "./Blocks"
import { Composer } from "./Composer"
import type { Made } from "./contract.gen"
import { Dialog } from "./Dialog"
import { Alert, ArrowLeft, ChevronRight, Ellipsis, Folder, Hand, ListChecks, Loader, Shield, Square } from "./icons"
import type { Sheet as SheetOf } from "./Inbox"
import { Markdown } from "./markdown"
import { again, catchUp, changes, fail, go, loaded, open, opening, readEarlier, route, rows, tell, type Open } from "./store"
import { standing } from "./Plan"
import type { Move as MoveOf } from "./Projects"
import type { Rules as RulesOf } from "./Rules"
import { inbox } from "./waits"
import { count } from "./words"

export function ThreadView() {
  const now = open.value
  if (!now) {
    const gone = loaded.value && !opening.value
    return gone ? (
      <section class="blank">
        <h1>There is no such thread here</h1>
        <a class="btn" href="#/">
          All threads
        </a>
      </section>
    ) : (
      <Skeleton />
    )
  }
  return (
    <>
      <Head now={now} />
      <Slim now={now} />
      <Transcript key={now.id} now={now} />
      <AskBar key={`a${now.id}`} id={now.id} />
      <Composer key={`c${now.id}`} now={now} />
    </>
  )
}

// On a phone how far the plan is stands above the conversation, and leads to it.
function Slim({ now }: { now: Open }) {
  const { done, of, waits, words } = standing(now)
  if (!of || (done === of && !now.thread.live)) return null
  return (
    <a class="slim" href={`#/t/${now.id}/progress`}>
      <ListChecks size={15} />
      <span class="t">
        <span class="line">
          <b>
            {done} of {of} done
          </b>
          {words && <span class={waits ? "attention" : "mut"}> · {words}</span>}
        </span>
        <progress value={done} max={of} aria-hidden="true" />
      </span>
      <ChevronRight size={15} />
    </a>
  )
}

// On a phone what the run asks stays in reach above the keyboard, however far the conversation is scrolled.
function AskBar({ id }: { id: string }) {
  const [Sheet, setSheet] = useState<typeof SheetOf | null>(null)
  const item = inbox.value?.find((one) => one.thread === id && (one.kind === "approval" || one.kind === "question"))
  if (!item) return null
  const show = () => import("./Inbox").then((views) => setSheet(() => views.Sheet)).catch(() => go("/inbox"))
  return (
    <>
      <button class="askbar" aria-haspopup="dialog" onClick={show}>
        <Hand />
        <span class="t">{item.kind === "approval" ? `May this be done: ${item.sentence}?` : item.text}</span>
        <b>Answer</b>
      </button>
      {Sheet && <Sheet key={item.id} item={item} close={() => setSheet(null)} />}
    </>
  )
}

function Skeleton() {
  const title = rows.value.find((row) => row.id === route.value.thread)?.title ?? ""
  return (
    <>
      <header class="top">
        <h1>{title || "Opening…"}</h1>
      </header>
      <div class="tr late" aria-hidden="true">
        <div class="bone" />
        <div class="bone" />
        <div class="bone" />
      </div>
    </>
  )
}

function Head({ now }: { now: Open }) {
  const { thread } = now
  const [menu, setMenu] = useState(false)
  const [naming, setNaming] = useState(false)
  const [Rules, setRules] = useState<typeof RulesOf | null>(null)
  const [Move, setMove] = useState<typeof MoveOf | null>(null)
  const id = now.id
  const set = changes.value?.thread === id ? changes.value.set : null
  const waiting = set && !set.discarded ? set.items.filter((item) => item.standing === "open").length : 0
  const stop = () => post<Made>(`/api/threads/${id}/stop`).catch(fail)
  const pause = async () => {
    setMenu(false)
    try {
      await post<Made>(`/api/threads/${id}/pause`)
      tell("It pauses when this step is done.")
    } catch (error) {
      fail(error)
    }
  }
  const change = async (body: object, done: string) => {
    setMenu(false)
    try {
      await patch<Made>(`/api/threads/${id}`, body)
      tell(done)
      await catchUp()
    } catch (error) {
      fail(error)
    }
  }
  const fork = async () => {
    setMenu(false)
    try {
      const made = await post<Made>(`/api/threads/${id}/forks`, {})
      go(`/t/${made.thread}`)
    } catch (error) {
      fail(error)
    }
  }
  const { row } = thread
  const busy = row.state === "working" || thread.live !== null
  return (
    <header class="top">
      <a class="btn icon ghost back" href="#/" aria-label="All threads">
        <ArrowLeft />
      </a>
      <h1>{row.title}</h1>
      <div class="chips">
        {thread.folders.map((one) => (
          <span class="chip" key={one.folder} title={one.folder}>
            <Folder size={14} /> {one.name}
          </span>
        ))}
        {Object.keys(thread.plugins).map((plugin) => (
          <span class="chip" key={plugin}>
            <Shield size={14} /> {plugin}
          </span>
        ))}
      </div>
      <div class="tools">
        {busy && (
          <button onClick={stop}>
            <Square size={14} /> Stop
          </button>
        )}
        <a class="btn changes-link" href={`#/t/${id}/changes`}>
          <ListChecks size={14} /> Changes{waiting > 0 && <b class="n">{waiting}</b>}
        </a>
        <div class="menu">
          <button class="icon ghost" aria-label="More" aria-expanded={menu} aria-haspopup="true" onClick={() => setMenu(!menu)} onKeyDown={(e) => e.key === "Escape" && setMenu(false)}>
            <Ellipsis />
          </button>
          {menu && (
            <div class="pop" onKeyDown={(e) => e.key === "Escape" && setMenu(false)}>
              {busy && <button onClick={pause}>Finish this step, then pause</button>}
              <button
                onClick={() => {
                  setMenu(false)
                  setNaming(true)
                }}
              >
                Rename
              </button>
              <button onClick={() => change({ pinned: !row.pinned }, row.pinned ? "No longer pinned." : "Pinned.")}>{row.pinned ? "Unpin" : "Pin"}</button>
              <button onClick={() => change({ archived: !row.archived }, row.archived ? "Back in the list." : "Archived. Search still finds it.")}>
                {row.archived ? "Take out of the archive" : "Archive"}
              </button>
              <button onClick={fork}>Fork with its files</button>
              <button
                onClick={() => {
                  again.value = now
                  go("/schedules/new")
                }}
              >
                Do this again…
              </button>
              <button
                onClick={() => {
                  setMenu(false)
                  import("./Rules").then((views) => setRules(() => views.Rules)).catch(() => location.reload())
                }}
              >
                What it may do…
              </button>
              <a class="btn" href={`/api/threads/${id}/record`} download>
                Save its record
              </a>
              <button
                onClick={() => {
                  setMenu(false)
                  import("./Projects").then((views) => setMove(() => views.Move)).catch(() => go("/projects"))
                }}
              >
                Project…
              </button>
            </div>
          )}
        </div>
      </div>
      {Rules && <Rules thread={id} close={() => setRules(null)} />}
      {Move && <Move thread={id} project={row.project} close={() => setMove(null)} />}
      {naming && (
        <Rename
          title={row.title}
          close={() => setNaming(false)}
          save={(title) => {
            setNaming(false)
            void change({ title }, "Renamed.")
          }}
        />
      )}
    </header>
  )
}

function Rename({ title, save, close }: { title: string; save: (title: string) => void; close: () => void }) {
  const [words, setWords] = useState(title)
  return (
    <Dialog title="Rename this thread" close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (words.trim()) save(words.trim())
        }}
      >
        <label for="title">Title</label>
        <input id="title" value={words} maxLength={200} onInput={(event) => setWords(event.currentTarget.value)} />
        <footer>
          <button class="pri" disabled={!words.trim()}>
            Rename
          </button>
        </footer>
      </form>
    </Dialog>
  )
}

function Transcript({ now }: { now: Open }) {
  const ref = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  // what comes before moves what is looked at down: it is kept where it is
  const tall = useRef({ first: now.first, height: 0 })
  useLayoutEffect(() => {
    const place = ref.current
    if (!place) return
    if (now.first !== tall.current.first) place.scrollTop += place.scrollHeight - tall.current.height
    else if (atEnd.current) place.scrollTop = place.scrollHeight
    tall.current = { first: now.first, height: place.scrollHeight }
  })
  useEffect(() => {
    const place = ref.current
    if (!place) return
    const seen = () => (atEnd.current = place.scrollHeight - place.scrollTop - place.clientHeight < 80)
    place.addEventListener("scroll", seen, { passive: true })
    return () => place.removeEventListener("scroll", seen)
  }, [])
  const { thread, story } = now
  const busy = thread.live !== null || thread.row.state === "working"
  // what is checked after it makes a change set no older
  const end = story.blocks.findLastIndex((block) => block.type !== "checked" && block.type !== "noted")
  return (
    <div class="trs" ref={ref} tabIndex={0} role="region" aria-label="Conversation">
      <div class="tr" role="log" aria-live="off" aria-label="What was said and done">
        {now.first > 0 && (
          <button class="sm earlier" onClick={readEarlier}>
            Show what came before
          </button>
        )}
        {story.blocks.map((block, at) => (
          <BlockView key={block.seq + block.type} block={block} thread={now.id} last={at >= end} busy={busy} />
        ))}
        {now.sent && (
          <div class="me sending">
            <p>{now.sent}</p>
            <span class="mut s12">Sending…</span>
          </div>
        )}
        {now.said && (
          <div class="answer">
            <Markdown text={now.said} />
          </div>
        )}
        {thread.live && <Doing now={now} />}
        {thread.queued.length > 0 && <Queue now={now} busy={busy} />}
        {!busy && thread.trouble && (
          <div class="card bad" role="alert">
            <Alert />
            <p>
              <b>{thread.trouble.message}</b> {thread.trouble.hint}
            </p>
          </div>
        )}
        {!busy && <Resume now={now} />}
      </div>
    </div>
  )
}

function Queue({ now, busy }: { now: Open; busy: boolean }) {
  const asks = now.story.blocks.some((block) => ((block.type === "question" || block.type === "form") && block.open) || (block.type === "ask" && block.allow === null))
  const said = !busy ? "Not heard yet" : asks ? "Heard after your answer above" : "Heard when this step is done"
  const path = `/api/threads/${now.id}/queue`
  return (
    <ul class="queue" aria-label="Messages that wait">
      {now.thread.queued.map((message) => (
        <li class="me" key={message.id}>
          <p>{message.text}</p>
          {message.attached.length > 0 && <span class="s12 ink2 line">With {message.attached.join(", ")}</span>}
          <div class="b">
            <span class="mut s12">{busy && message.attached.length > 0 && !asks ? "Heard when this has finished" : said}</span>
            {!busy && !asks && (
              <button class="sm ghost" onClick={() => post<Made>(`${path}/${message.id}/send`).catch(fail)}>
                Send now
              </button>
            )}
            <button class="sm ghost" onClick={() => remove<Made>(`${path}/${message.id}`).catch(fail)}>
              Withdraw
            </button>
          </div>
        </li>
      ))}
    </ul>
  )
}

function Doing({ now }: { now: Open }) {
  const waits = now.story.blocks.some((block) => block.type === "ask" && block.allow === null)
  const words = waits ? "Waiting for you" : now.doing || "Working"
  return (
    <div class="doing">
      <Loader class={waits ? "" : "spin"} size={14} />
      <span>{words}</span>
      {now.total > 0 && <progress value={now.done} max={now.total} aria-label={words} />}
    </div>
  )
}

const RESUMABLE = ["interrupted", "stopped", "failed", "over budget"]

function Resume({ now }: { now: Open }) {
  const { row } = now.thread
  if (!RESUMABLE.includes(row.state)) return null
  const said = row.state === "interrupted" ? "The run was interrupted. Nothing is lost." : `The run ${row.state === "over budget" ? "used up its budget" : row.state}.`
  return (
    <div class="card">
      <Alert />
      <p>
        {said} {row.pending > 0 && `${count(row.pending, "change")} wait for your review.`}
      </p>
      <button onClick={() => post<Made>(`/api/threads/${now.id}/resume`).catch(fail)}>Go on</button>
    </div>
  )
}
