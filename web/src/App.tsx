// The frame: threads on the left, the open one in the middle, its work and changes on the right.
import type { ComponentType } from "preact"
import { useEffect, useLayoutEffect, useState } from "preact/hooks"
import { post } from "./api"
import { Later } from "./Later"
import { PLACES } from "./menu"
import { Panel } from "./Panel"
import type { Search as SearchOf } from "./Search"
import { Sidebar } from "./Sidebar"
import { ThreadView } from "./ThreadView"
import { Info, Inbox, MessageSquare, PenSquare, Settings2 } from "./icons"
import { connection, fail, go, LAST, loaded, notice, recall, route, searching, spoken, type View } from "./store"
import { inbox } from "./waits"
import { when } from "./words"

// views that are fetched when they are first looked at
const LATER: Partial<Record<View, () => Promise<{ View: ComponentType }>>> = {
  new: () => import("./NewThread"),
  settings: () => import("./Settings"),
  inbox: () => import("./Inbox"),
  schedules: () => import("./Schedules"),
  tables: () => import("./Tables"),
  connectors: () => import("./Connectors"),
  projects: () => import("./Projects"),
  plugins: () => import("./Plugins"),
  health: () => import("./Health"),
  phone: () => import("./Phone"),
  welcome: () => import("./Welcome"),
}

export function App() {
  // before the first picture: whoever sees the page may press its keys
  useLayoutEffect(() => {
    const key = (event: KeyboardEvent) => {
      const command = event.ctrlKey || event.metaKey
      if (command && event.key.toLowerCase() === "k") {
        event.preventDefault()
        searching.value = true
      } else if (command && event.shiftKey && event.key.toLowerCase() === "o") {
        event.preventDefault()
        go("/new")
      } else if (event.key === "F6") {
        event.preventDefault()
        nextPane(event.shiftKey ? -1 : 1)
      }
    }
    addEventListener("keydown", key)
    return () => removeEventListener("keydown", key)
  }, [])
  if (connection.value === "signed out") return <SignedOut />
  const { view, panel } = route.value
  const later = LATER[view]
  return (
    <div class={`app at-${view}${panel ? " with-panel" : ""}`}>
      <Sidebar />
      <main class="mid" tabIndex={-1} data-pane>
        {connection.value === "lost" && <Lost />}
        <Notice />
        {view === "thread" && <ThreadView />}
        {later && <Later key={view} name={view} load={later} />}
        {view === "list" && <Empty />}
      </main>
      {view === "thread" && <Panel />}
      <BottomBar />
      {searching.value && <Finder />}
      <div class="unseen" role="status" aria-live="polite">
        {spoken.value}
      </div>
    </div>
  )
}

function Finder() {
  const [Search, setSearch] = useState<typeof SearchOf | null>(null)
  useEffect(() => void import("./Search").then((views) => setSearch(() => views.Search)).catch(() => {
    searching.value = false
    fail(new Error("The search could not be fetched. Load the page again when the computer answers."))
  }), [])
  return Search && <Search />
}

function nextPane(by: number): void {
  const panes = [...document.querySelectorAll<HTMLElement>("[data-pane]")].filter((pane) => pane.offsetParent !== null)
  const here = panes.findIndex((pane) => pane.contains(document.activeElement))
  panes[(here + by + panes.length) % panes.length]?.focus()
}

function BottomBar() {
  const { view } = route.value
  const waiting = inbox.value?.length ?? 0
  return (
    <nav class="bottom" aria-label="Main">
      <a href="#/" class={view === "list" ? "on" : ""} aria-current={view === "list" ? "page" : undefined}>
        <MessageSquare />
        Threads
      </a>
      <a href="#/inbox" class={view === "inbox" ? "on" : ""} aria-current={view === "inbox" ? "page" : undefined}>
        <Inbox />
        Inbox
        {waiting > 0 && (
          <b class="badge">
            {waiting}
            <span class="unseen"> waiting for you</span>
          </b>
        )}
      </a>
      <a href="#/new" class={view === "new" ? "on" : ""} aria-current={view === "new" ? "page" : undefined}>
        <PenSquare />
        New
      </a>
      <a href="#/settings" class={PLACES.some(([one]) => one === view) || view === "settings" ? "on" : ""} aria-current={view === "settings" ? "page" : undefined}>
        <Settings2 />
        More
      </a>
    </nav>
  )
}

function Notice() {
  const now = notice.value
  if (!now) return null
  return (
    <div class={`notice${now.bad ? " bad" : ""}`}>
      <Info />
      <p>
        <b>{now.text}</b> {now.hint}
      </p>
      <button class="sm ghost" onClick={() => (notice.value = null)}>
        Close
      </button>
    </div>
  )
}

function Lost() {
  const last = recall(LAST)
  return (
    <div class="notice attn lost">
      <Info />
      <p>
        <b>Reconnecting.</b> {loaded.value ? "Work goes on at your computer. This page catches up by itself; what you type is kept." : `Your computer does not answer${last ? `; it was last there ${when(last)}` : ""}. This page goes on as soon as it does.`}
      </p>
    </div>
  )
}

function Empty() {
  return (
    <>
      <h1 class="phone-title unseen">Threads</h1>
      <section class="blank">
      <h1>What should be finished?</h1>
      <p>Pick a folder and describe the result. You see every change before it is written.</p>
      <a class="btn pri" href="#/new">
        New thread
      </a>
      </section>
    </>
  )
}

function SignedOut() {
  const [code, setCode] = useState("")
  const found = /[\w-]{32}$/.exec(code.trim())?.[0]
  const enter = async () => {
    try {
      await post("/api/session", { code: found })
      location.reload()
    } catch (error) {
      fail(error)
    }
  }
  return (
    <main class="alone">
      <div class="logo" aria-hidden="true">
        D
      </div>
      <h1>This browser is not signed in</h1>
      <p>
        On the computer that Deskmate runs on, type <code>deskmate serve</code> in a terminal. It opens this page signed
        in, or prints a link that signs one browser in.
      </p>
      <form
        class="enter"
        onSubmit={(event) => {
          event.preventDefault()
          if (found) void enter()
        }}
      >
        <label for="code">Or paste such a link here</label>
        <div class="pathline">
          <input id="code" autocomplete="off" value={code} onInput={(event) => setCode(event.currentTarget.value)} />
          <button class="pri" disabled={!found}>
            Sign in
          </button>
        </div>
        {notice.value?.bad && code && (
          <p role="alert" class="bad s13">
            {notice.value.text}
          </p>
        )}
      </form>
    </main>
  )
}
