// The right side: how far the work is, and what it wants to change.
import { useEffect, useState } from "preact/hooks"
import { Cross } from "./icons"
import type { Files as FilesOf } from "./Files"
import { looked } from "./places"
import { findings } from "./fold"
import { EditPlan, Steps } from "./Plan"
import type { Review as ReviewOf } from "./Review"
import type { Sources as SourcesOf } from "./Source"
import { changes, go, open, route } from "./store"

type Tab = "progress" | "changes" | "files" | "sources"
const TABS: Tab[] = ["progress", "changes", "files", "sources"]

export function Panel() {
  const [picked, setPicked] = useState<Tab | null>(null)
  const [Files, setFiles] = useState<typeof FilesOf | null>(null)
  const [Review, setReview] = useState<typeof ReviewOf | null>(null)
  const [Sources, setSources] = useState<typeof SourcesOf | null>(null)
  const [unfetched, setUnfetched] = useState<Tab | null>(null)
  const now = open.value
  const { thread: id, panel } = route.value
  // whoever follows a link to the changes or to a source means them
  useEffect(() => {
    if (panel) setPicked(null)
  }, [panel, looked.value])
  if (!now) return <aside class="rt" aria-label="Details" />
  const set = changes.value?.thread === id ? changes.value.set : null
  const waiting = set && !set.discarded ? set.items.filter((item) => item.standing === "open").length : 0
  const tab = picked ?? (panel || (now.thread.live ? "progress" : "changes"))
  if (unfetched !== tab) {
    const lost = () => setUnfetched(tab)
    if (tab === "changes" && !Review) import("./Review").then((views) => setReview(() => views.Review), lost)
    if (tab === "files" && !Files) import("./Files").then((views) => setFiles(() => views.Files), lost)
    if (tab === "sources" && !Sources) import("./Source").then((views) => setSources(() => views.Sources), lost)
  }
  const pick = (next: Tab) => setPicked(next)
  const move = (event: KeyboardEvent) => {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return
    const next = TABS[(TABS.indexOf(tab) + (event.key === "ArrowRight" ? 1 : TABS.length - 1)) % TABS.length]!
    pick(next)
    document.getElementById(`tab-${next}`)?.focus()
  }
  const head = (name: Tab, words: string) => (
    <button
      role="tab"
      id={`tab-${name}`}
      class={`tab${tab === name ? " on" : ""}`}
      aria-selected={tab === name}
      aria-controls="tab-body"
      tabIndex={tab === name ? 0 : -1}
      onClick={() => pick(name)}
    >
      {words}
      {name === "changes" && waiting > 0 && <span class="n">{waiting}</span>}
    </button>
  )
  return (
    <aside class="rt" aria-label="Details" tabIndex={-1} data-pane>
      <div class="tabs">
        <div role="tablist" aria-label="Details" onKeyDown={move}>
          {head("progress", "Progress")}
          {head("changes", "Changes")}
          {head("files", "Files")}
          {head("sources", "Sources")}
        </div>
        <button class="icon ghost shut" aria-label="Close the details" onClick={() => go(`/t/${id}`)}>
          <Cross />
        </button>
      </div>
      <div id="tab-body" class="body" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {unfetched === tab ? <Unfetched /> : tab === "files" ? Files && <Files key={id} thread={id} /> : tab === "sources" ? Sources && <Sources key={id} thread={id} /> : tab === "progress" ? <Progress /> : Review && <Review key={`${id}${set?.run}`} thread={id} set={set} busy={now.thread.live !== null} findings={findings(now.story)} />}
      </div>
    </aside>
  )
}

// not by itself: what can be read of the conversation stays until the user says so
function Unfetched() {
  return (
    <div class="pad">
      <p>This part could not be fetched. Nothing is lost.</p>
      <button onClick={() => location.reload()}>Load the page again</button>
    </div>
  )
}

function Progress() {
  const now = open.value!
  const { story, thread } = now
  const facts: [string, string][] = [
    ["Model", thread.model || "not chosen yet"],
    ["Folders", thread.folders.map((one) => `${one.folder} (${one.mode})`).join(", ") || "none"],
    ["Plugins", Object.entries(thread.plugins).map((one) => one.join(" ")).join(", ") || "none"],
    ["Network", thread.hosts.join(", ") || "none"],
    ["Walls", thread.isolation || "no virtual machine yet"],
  ]
  return (
    <div class="pad">
      <div class="b">
        <h2 class="t">Plan</h2>
        <EditPlan now={now} extra="narrow" />
      </div>
      {story.plan.length === 0 ? <p class="mut s13">No plan was made. The steps are in the conversation.</p> : <Steps steps={story.plan} live={thread.live !== null} />}
      <h2>This thread</h2>
      <dl class="facts">
        {facts.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
