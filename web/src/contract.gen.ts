// Made by `python -m deskmate.web.typescript` from core/src/deskmate/web/contract.py.
// A test compares the two: change it there.

export interface Answered {
  use: string
  arguments: string
  allow: boolean
  by: string
  kind: "answered"
}

export interface Applied {
  plan: string
  undo: boolean
  by: string
  applied: boolean
  text: string
  left: number | null
  kind: "applied"
}

export interface Asked {
  use: string
  arguments: string
  title: string
  why: string
  shown: Record<string, string>
  sends: boolean
  expires: string
  kind: "asked"
}

export interface Call {
  id: string
  tool: string
  sentence: string
  arguments: Record<string, string>
  question: string
  choices: string[]
  steps: Step[]
}

export interface Changes {
  run: string
  discarded: boolean
  errors: number
  items: Item[]
  refused: Record<string, string>
  past: Past[]
}

export interface Checked {
  passed: boolean
  rules: number
  findings: Finding[]
  kind: "checked"
}

export interface Desk {
  version: string
  home: string
  models: ModelChoice[]
  model: string
  plugins: Plugin[]
  devices: Device[]
  build: string
}

export interface Device {
  id: string
  name: string
  made: string
  seen: string
  here: boolean
}

export interface Differences {
  changes: Shown[]
}

export interface Ended {
  reason: "done" | "rejected" | "needs_you" | "over_budget" | "stopped" | "failed"
  text: string
  kind: "ended"
}

export interface Entry {
  seq: number
  time: string
  body: Body
}

export interface Failure {
  error: string
  hint: string
}

export interface File {
  path: string
  title: string
  role: string
}

export interface Finding {
  rule: string
  level: "error" | "warning" | "note"
  message: string
  location: string
  fix: string
  path: string
}

export interface Finds {
  hits: Found[]
}

export interface Finished {
  use: string
  outcome: "ok" | "error" | "denied" | "timeout" | "interrupted" | "unknown"
  text: string
  cut: boolean
  files: File[]
  wrote: boolean
  kind: "finished"
}

export interface Folder {
  name: string
  folder: string
  mode: "ro" | "rw" | "rw-no-delete"
}

export interface Found {
  thread: string
  title: string
  changed: string
  seq: number
  snippet: string
}

export interface Item {
  path: string
  operation: "create" | "modify" | "delete" | "mkdir" | "rmdir" | "mode"
  standing: string
  why: string
  flags: string[]
  moved_from: string
  size: number | null
  was: number | null
  is_file: boolean
}

export interface Listed {
  row: Row
  kind: "listed"
}

export interface Listing {
  path: string
  parent: string
  folders: Place[]
  files: number
}

export interface Live {
  text: string
  said: string
  doing: string
  done: number
  total: number
}

export interface Made {
  thread: string
}

export interface ModelChoice {
  name: string
  title: string
  lacks: string
}

export interface Noted {
  text: string
  level: "quiet" | "attention"
  kind: "noted"
}

export interface Pages {
  first: number
  pictures: string[]
  more: boolean
}

export interface Past {
  plan: string
  time: string
  seq: number
  by: string
  run: string
  asked: string
  undoes: string[]
  forced: boolean
  operations: Record<string, number>
  paths: string[]
  parts: Record<string, string[]>
  waiting: Record<string, string>
  undone: boolean
}

export interface Place {
  name: string
  path: string
}

export interface Plugin {
  name: string
  title: string
  summary: string
  version: string
  permissions: string[]
  wants: string[]
  problem: string
}

export interface Progress {
  thread: string
  text: string
  done: number
  total: number
  kind: "progress"
}

export interface Replied {
  text: string
  label: string
  calls: Call[]
  tokens: number
  cost_usd: number | null
  kind: "replied"
}

export interface Reset {
  kind: "reset"
}

export interface Row {
  id: string
  title: string
  state: string
  group: "needs you" | "working" | "pinned" | "other" | "archived"
  fact: string
  changed: string
  events: number
  pending: number
  pinned: boolean
  archived: boolean
  problem: string
}

export interface Said {
  text: string
  model: string
  kind: "said"
}

export interface Shown {
  path: string
  operation: "create" | "modify" | "delete" | "mkdir" | "rmdir" | "mode"
  hunks: string[]
  applied: string[]
  lines: string[]
}

export interface Staged {
  run: string
  created: number
  modified: number
  deleted: number
  files: File[]
  refused: Record<string, string>
  kind: "staged"
}

export interface Started {
  use: string
  kind: "started"
}

export interface Step {
  text: string
  state: "todo" | "doing" | "done"
}

export interface Stored {
  thread: string
  entry: Entry
  kind: "stored"
}

export interface Streamed {
  thread: string
  at: number
  text: string
  kind: "streamed"
}

export interface Thread {
  row: Row
  entries: Entry[]
  next: number
  folders: Folder[]
  plugins: Record<string, string>
  model: string
  apply: "review" | "new" | "all"
  budget_usd: number | null
  hosts: string[]
  isolation: string
  live: Live | null
  trouble: Trouble | null
  forked_from: string
}

export interface Threads {
  rows: Row[]
}

export interface Trouble {
  message: string
  hint: string
}

export interface Unlisted {
  thread: string
  kind: "unlisted"
}

export interface Working {
  thread: string
  working: boolean
  trouble: Trouble | null
  kind: "working"
}

export interface Written {
  written: string[]
  left_out: Record<string, string>
  waiting: Record<string, string>
  notes: string[]
}

export type Body = Said | Replied | Started | Finished | Asked | Answered | Staged | Checked | Ended | Applied | Noted

export type Message = Reset | Stored | Streamed | Progress | Working | Listed | Unlisted
