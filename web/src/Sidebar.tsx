// The threads, by what they want of the user.
import { useState } from "preact/hooks"
import type { RowMenu as RowMenuOf } from "./RowMenu"
import type { Row } from "./contract.gen"
import { Ellipsis, Inbox, Loader, Plus, Search as SearchIcon, Settings2 } from "./icons"
import { PLACES } from "./menu"
import { desk, isUnseen, loaded, open, projects, route, rows, searching } from "./store"
import { inbox } from "./waits"

const DAY = 86_400_000

function groups(all: readonly Row[]): [string, Row[]][] {
  const today = new Date().setHours(0, 0, 0, 0)
  const by = (wanted: string) => all.filter((row) => row.group === wanted)
  const sorted = by("other").sort((a, b) => (a.changed < b.changed ? 1 : -1))
  // a project's threads stand under its name; the others by when they changed
  const names = projects.value
  const others = sorted.filter((row) => !names.has(row.project))
  const own = [...names].sort((a, b) => a[1].localeCompare(b[1])).map(([id, name]): [string, Row[]] => [name, sorted.filter((row) => row.project === id)])
  const age = (row: Row) => today - Date.parse(row.changed)
  return [
    ["Needs you", by("needs you")],
    ["Working", by("working")],
    ["Pinned", by("pinned")],
    ...own,
    ["Today", others.filter((row) => age(row) <= 0)],
    ["Last 7 days", others.filter((row) => age(row) > 0 && age(row) <= 7 * DAY)],
    ["Earlier", others.filter((row) => age(row) > 7 * DAY)],
  ]
}

export function Sidebar() {
  const [archived, setArchived] = useState(false)
  const all = rows.value
  const old = all.filter((row) => row.group === "archived")
  const { view } = route.value
  const waiting = inbox.value?.length ?? 0
  return (
    <nav class="side" aria-label="Threads" tabIndex={-1} data-pane>
      <header class="ws">
        <div class="logo" aria-hidden="true">
          D
        </div>
        <div>
          <b>Deskmate</b>
          <div class="s12 mut">{desk.value?.home ?? ""}</div>
        </div>
      </header>
      <a class="btn new" href="#/new">
        <span>
          <Plus /> New thread
        </span>
        <kbd>Ctrl Shift O</kbd>
      </a>
      <button class="row find" onClick={() => (searching.value = true)}>
        <SearchIcon />
        <span class="t">Search or jump to…</span>
        <kbd>Ctrl K</kbd>
      </button>
      <a class={`row box-link${view === "inbox" ? " on" : ""}`} href="#/inbox" aria-current={view === "inbox" ? "page" : undefined}>
        <Inbox />
        <span class="t">Inbox</span>
        {waiting > 0 && (
          <b class="n due">
            {waiting}
            <span class="unseen"> waiting for you</span>
          </b>
        )}
      </a>
      <div class="rows">
        {groups(all).map(([title, members]) =>
          members.length ? (
            <section key={title} aria-label={title}>
              <h2>
                {title} {(title === "Needs you" || title === "Working") && <span>{members.length}</span>}
              </h2>
              <ul>
                {members.map((row) => (
                  <Line key={row.id} row={row} />
                ))}
              </ul>
            </section>
          ) : null,
        )}
        {loaded.value && all.length === 0 && <p class="mut s13 none">No threads yet.</p>}
        {old.length > 0 && (
          <section aria-label="Archived">
            <button class="sm ghost more" aria-expanded={archived} onClick={() => setArchived(!archived)}>
              Archived ({old.length})
            </button>
            {archived && (
              <ul>
                {old.map((row) => (
                  <Line key={row.id} row={row} />
                ))}
              </ul>
            )}
          </section>
        )}
      </div>
      <div class="foot">
        {PLACES.map(([place, title, Mark]) => (
          <a key={place} class={`row${view === place ? " on" : ""}`} href={`#/${place}`} aria-current={view === place ? "page" : undefined}>
            <Mark />
            <span class="t">{title}</span>
          </a>
        ))}
        <a class={`row${view === "settings" ? " on" : ""}`} href="#/settings">
          <Settings2 />
          <span class="t">Settings</span>
        </a>
      </div>
    </nav>
  )
}

function Line({ row }: { row: Row }) {
  const [Menu, setMenu] = useState<typeof RowMenuOf | null>(null)
  const show = () => import("./RowMenu").then((views) => setMenu(() => views.RowMenu)).catch(() => location.reload())
  const here = route.value.thread === row.id
  const unseen = isUnseen(row)
  const plan = open.value?.id === row.id && row.group === "working" ? open.value.story.plan : []
  const done = plan.filter((step) => step.state === "done").length
  const fact = plan.length ? `${done} of ${plan.length}` : row.fact || (unseen ? "New" : "")
  return (
    <li>
      <a class={`row${here ? " on" : ""}${row.group === "needs you" ? " at" : ""}`} href={`#/t/${row.id}`} aria-current={here ? "page" : undefined}>
        {row.group === "working" ? (
          <Loader class="spin" size={14} />
        ) : (
          <span class={`dot${row.group === "needs you" ? " attn" : unseen ? " unr" : " off"}`} />
        )}
        <span class="t">{row.title}</span>
        {fact && <span class="sub">{fact}</span>}
      </a>
      <button class="icon ghost rowmenu" aria-label={`Options for ${row.title}`} aria-haspopup="dialog" onClick={show}>
        <Ellipsis size={14} />
      </button>
      {Menu && <Menu row={row} close={() => setMenu(null)} />}
    </li>
  )
}
