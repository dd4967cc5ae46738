// The frame: threads on the left, the open one in the middle, its work and changes on the right.
import { useLayoutEffect } from "preact/hooks"
import { NewThread } from "./NewThread"
import { Panel } from "./Panel"
import { Search, searching } from "./Search"
import { Settings } from "./Settings"
import { Sidebar } from "./Sidebar"
import { ThreadView } from "./ThreadView"
import { Info, PenSquare, Settings2, Inbox } from "./icons"
import { connection, go, notice, route, rows, spoken } from "./store"

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
  return (
    <div class={`app at-${view}${panel ? " with-panel" : ""}`}>
      <Sidebar />
      <main class="mid" tabIndex={-1} data-pane>
        {connection.value === "lost" && <Lost />}
        <Notice />
        {view === "thread" && <ThreadView />}
        {view === "new" && <NewThread />}
        {view === "settings" && <Settings />}
        {view === "list" && <Empty />}
      </main>
      {view === "thread" && <Panel />}
      <BottomBar />
      {searching.value && <Search />}
      <div class="unseen" role="status" aria-live="polite">
        {spoken.value}
      </div>
    </div>
  )
}

function nextPane(by: number): void {
  const panes = [...document.querySelectorAll<HTMLElement>("[data-pane]")].filter((pane) => pane.offsetParent !== null)
  const here = panes.findIndex((pane) => pane.contains(document.activeElement))
  panes[(here + by + panes.length) % panes.length]?.focus()
}

function BottomBar() {
  const { view } = route.value
  const waiting = rows.value.filter((row) => row.group === "needs you").length
  return (
    <nav class="bottom" aria-label="Main">
      <a href="#/" class={view === "list" ? "on" : ""} aria-current={view === "list" ? "page" : undefined}>
        <Inbox />
        Threads
        {waiting > 0 && (
          <b class="badge">
            {waiting}
            <span class="unseen"> need you</span>
          </b>
        )}
      </a>
      <a href="#/new" class={view === "new" ? "on" : ""} aria-current={view === "new" ? "page" : undefined}>
        <PenSquare />
        New
      </a>
      <a href="#/settings" class={view === "settings" ? "on" : ""} aria-current={view === "settings" ? "page" : undefined}>
        <Settings2 />
        Settings
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
  return (
    <div class="notice attn">
      <Info />
      <p>
        <b>Reconnecting.</b> Work goes on at your computer. This page catches up by itself; what you type is kept.
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
    </main>
  )
}
