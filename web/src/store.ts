// What the page knows: signals that views read, and the few ways in which they change.
import { batch, signal } from "@preact/signals"
import { get, Refused } from "./api"
import type { Changes, Desk, Entry, Message, Projects, Row, Thread, Threads } from "./contract.gen"
import { after, fold, type Story } from "./fold"
import { keep, recall } from "./kept"
import { loadInbox, lookAgain } from "./waits"

export interface Open {
  id: string
  thread: Thread
  story: Story
  // what the story is made of, and the event before the first of them
  entries: readonly Entry[]
  first: number
  said: string
  doing: string
  done: number
  total: number
  sent: string
}

const VIEWS = ["new", "settings", "inbox", "schedules", "tables", "connectors", "projects", "plugins", "health", "phone", "welcome"] as const
export type View = "list" | "thread" | (typeof VIEWS)[number]
// `item`: what is open in a view other than a thread
const SIDES = ["progress", "changes", "sources"] as const
export type Side = "" | (typeof SIDES)[number]
export type Route = { view: View; thread: string; panel: Side; item: string }
export type Connection = "live" | "lost" | "signed out"

export const desk = signal<Desk | null>(null)
export const rows = signal<readonly Row[]>([])
export const loaded = signal(false)
// names of projects by id, for the rail
export const projects = signal<ReadonlyMap<string, string>>(new Map())
export const open = signal<Open | null>(null)
export const changes = signal<{ thread: string; set: Changes } | null>(null)
export const route = signal<Route>(read())
export const connection = signal<Connection>("live")
export const spoken = signal("")
export const notice = signal<{ text: string; hint: string; bad: boolean } | null>(null)
export const opening = signal("")
export const searching = signal(false)
// the thread whose request is to be done again by itself
export const again = signal<Open | null>(null)

function read(): Route {
  const [view, thread, panel] = location.hash.replace(/^#\/?/, "").split("/")
  if (view === "t" && thread) return { view: "thread", thread, panel: SIDES.find((one) => one === panel) ?? "", item: "" }
  return { view: VIEWS.find((one) => one === view) ?? "list", thread: "", panel: "", item: decodeURIComponent(thread ?? "") }
}

export function go(path: string): void {
  location.hash = path
}

addEventListener("hashchange", () => {
  route.value = read()
  notice.value = null
  // before that the browser may not even be signed in; loading ends with showing
  if (loaded.value) void show()
})

export function fail(error: unknown): void {
  if (error instanceof Refused) {
    if (error.status === 401) connection.value = "signed out"
    // no answer at all: the page says so at its top, with when it was last there
    if (error.status === 0) {
      connection.value = "lost"
      return
    }
    notice.value = { text: error.message, hint: error.hint, bad: true }
    spoken.value = error.message
  } else {
    throw error
  }
}

export function tell(text: string): void {
  notice.value = { text, hint: "", bad: false }
  spoken.value = text
}

export async function load(): Promise<void> {
  try {
    const [first, list] = await Promise.all([get<Desk>("/api/desk"), get<Threads>("/api/threads")])
    batch(() => {
      desk.value = first
      rows.value = list.rows
      loaded.value = true
      connection.value = "live"
    })
    keep(LAST, new Date().toISOString())
    // nothing was ever done here: the first steps, once in a browser
    if (list.rows.length === 0 && route.value.view === "list" && !recall(WELCOMED)) go("/welcome")
    void loadInbox()
    void loadProjects(true)
    await show(true)
  } catch (error) {
    fail(error)
  }
}

let namesFor = ""
// read once for every set of projects that threads are in
export async function loadProjects(anew = false): Promise<void> {
  const ids = [...new Set(rows.value.map((row) => row.project))].filter(Boolean).sort().join()
  if (!ids || (ids === namesFor && !anew)) return
  namesFor = ids
  await get<Projects>("/api/projects").then((all) => (projects.value = new Map(all.rows.map((one) => [one.id, one.name]))), fail)
}

export async function reloadDesk(): Promise<void> {
  desk.value = await get<Desk>("/api/desk")
}

// what the stream told of a thread while it was being read: of several readings the last one counts
let early: Message[] = []
let turn = 0

// Bring the thread of the address onto the page; `anew` although it is there.
export async function show(anew = false): Promise<void> {
  const { view, thread: id } = route.value
  if (view !== "thread") {
    open.value = null
    changes.value = null
    opening.value = ""
    return
  }
  if (!anew && open.value?.id === id) return
  if (open.value?.id !== id) {
    open.value = null
    changes.value = null
  }
  if (opening.value !== id) early = []
  opening.value = id
  turn += 1
  const own = turn
  try {
    const thread = await get<Thread>(`/api/threads/${id}`)
    if (own !== turn || route.value.thread !== id) return
    batch(() => {
      open.value = opened(id, thread)
      opening.value = ""
      early.forEach(apply)
      early = []
    })
    markSeen(thread.row)
    await loadChanges(id)
  } catch (error) {
    if (own === turn) opening.value = ""
    fail(error)
  }
}

// `was`: what is there already, to which the thread's entries are added
function opened(id: string, thread: Thread, was?: Open): Open {
  const { live } = thread
  const known = was?.story.last ?? 0
  return {
    id,
    thread,
    story: fold(was?.story ?? after(thread.earlier), thread.entries),
    entries: was ? [...was.entries, ...thread.entries.filter((entry) => entry.seq > known)] : thread.entries,
    first: was?.first ?? thread.earlier.seq,
    said: live?.said ?? "",
    doing: live?.doing ?? "",
    done: live?.done ?? 0,
    total: live?.total ?? 0,
    sent: live && !was && lastSaid(thread) !== live.text ? live.text : "",
  }
}

function lastSaid(thread: Thread): string {
  const said = thread.entries.findLast((entry) => entry.body.kind === "said")
  return said?.body.kind === "said" ? said.body.text : ""
}

// Read what came into the open thread's log by another way than its run here.
// One after the other: of two answers that cross, the older one would be taken for the newer.
let asked: Promise<void> = Promise.resolve()
export function catchUp(): Promise<void> {
  asked = asked.then(readNews, readNews)
  return asked
}

async function readNews(): Promise<void> {
  const now = open.value
  if (!now) return
  try {
    const thread = await get<Thread>(`/api/threads/${now.id}?after=${now.story.last}`)
    const still = open.value
    if (still?.id !== now.id) return
    const next = opened(now.id, thread, still)
    open.value = { ...next, said: thread.live ? still.said || next.said : "", sent: thread.live ? still.sent : "" }
    markSeen(thread.row)
    await loadChanges(now.id)
  } catch (error) {
    fail(error)
  }
}

// Read what came before what is there.
export async function readEarlier(): Promise<void> {
  const now = open.value
  if (!now?.first) return
  try {
    const { entries, earlier } = await get<Thread>(`/api/threads/${now.id}?before=${now.first + 1}`)
    const still = open.value
    if (still?.id !== now.id || still.first !== now.first) return
    const all = [...entries, ...still.entries]
    open.value = { ...still, entries: all, first: earlier.seq, story: fold(after(earlier), all) }
  } catch (error) {
    fail(error)
  }
}

async function refresh(id: string): Promise<void> {
  const thread = await get<Thread>(`/api/threads/${id}?after=${Number.MAX_SAFE_INTEGER}`).catch(() => null)
  const now = open.value
  if (thread && now?.id === id) open.value = { ...now, thread: { ...thread, live: now.thread.live, next: now.thread.next } }
}

export async function loadChanges(id: string): Promise<void> {
  const set = await get<Changes>(`/api/threads/${id}/changes`)
  if (route.value.thread === id) changes.value = { thread: id, set }
}

export function apply(message: Message): void {
  switch (message.kind) {
    case "reset":
      void load()
      return
    case "listed":
      list(message.row)
      return
    case "unlisted":
      rows.value = rows.value.filter((row) => row.id !== message.thread)
      lookAgain()
      return
  }
  if (opening.value === message.thread) early.push(message)
  const now = open.value
  if (now?.id !== message.thread) return
  switch (message.kind) {
    case "stored": {
      const { body } = message.entry
      const story = fold(now.story, [message.entry])
      const over = body.kind === "replied" || body.kind === "noted"
      const entries = story.last > now.story.last ? [...now.entries, message.entry] : now.entries
      open.value = { ...now, story, entries, said: over ? "" : now.said, sent: body.kind === "said" ? "" : now.sent }
      if (body.kind === "said" && body.queued) heard(body.queued)
      else if (body.kind === "said") dropDraft(now.id)
      // what the run was given stands in the log by now
      if (body.kind === "said" || (body.kind === "started" && !now.thread.isolation)) void refresh(now.id)
      if (body.kind === "asked") spoken.value = `Approval needed: ${body.title}`
      if (body.kind === "ended") spoken.value = body.reason === "done" ? "Finished." : `Ended: ${body.text || body.reason}`
      break
    }
    case "streamed": {
      if (message.at > now.said.length) {
        void show(true)
      } else {
        open.value = { ...now, said: now.said.slice(0, message.at) + message.text }
      }
      break
    }
    case "queue":
      open.value = { ...now, thread: { ...now.thread, queued: message.messages } }
      break
    case "progress":
      open.value = { ...now, doing: message.text, done: message.done, total: message.total }
      break
    case "working":
      if (message.working) {
        const live = now.thread.live ?? { text: "", said: "", doing: "", done: 0, total: 0 }
        open.value = { ...now, thread: { ...now.thread, live, trouble: null }, said: "", doing: "" }
        spoken.value = "Working."
      } else {
        open.value = { ...now, thread: { ...now.thread, live: null, trouble: message.trouble }, said: "", doing: "", sent: "" }
        void catchUp()
      }
      break
  }
}

function heard(message: string): void {
  const now = open.value
  if (now) open.value = { ...now, thread: { ...now.thread, queued: now.thread.queued.filter((one) => one.id !== message) } }
}

function list(row: Row): void {
  const known = rows.value.findIndex((one) => one.id === row.id)
  const was = rows.value[known]
  const mark = (one?: Row) => one && [one.group, one.state, one.fact, one.title, one.archived].join()
  if (mark(was) !== mark(row)) lookAgain()
  if (was?.project !== row.project) queueMicrotask(() => void loadProjects())
  rows.value = known < 0 ? [row, ...rows.value] : rows.value.map((one) => (one.id === row.id ? row : one))
  const now = open.value
  if (now?.id !== row.id) return
  const behind = !now.thread.live && row.events > now.thread.next
  open.value = { ...now, thread: { ...now.thread, row, next: behind ? row.events : now.thread.next } }
  if (behind) void catchUp()
}

export { keep, recall }

// what was seen, and drafts: they belong to this browser

export const LAST = "last"
export const WELCOMED = "welcomed"
const SEEN = "seen:"
const DRAFT = "draft:"

export function markSeen(row: Row): void {
  keep(SEEN + row.id, row.changed)
}

export function isUnseen(row: Row): boolean {
  if (open.value?.id === row.id) return false
  const seen = recall(SEEN + row.id)
  return row.state === "done" && seen !== null && seen < row.changed
}

export const draft = (id: string) => recall(DRAFT + id) ?? ""
export const keepDraft = (id: string, text: string) => keep(DRAFT + id, text)
export const dropDraft = (id: string) => keep(DRAFT + id, "")
