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

export interface Blank {
  name: string
  title: string
  about: string
  kind: "text" | "number" | "yes_no" | "choice" | "choices"
  choices: Choice[]
  required: boolean
  default: string
}

export interface Brief {
  status: "open" | "checked" | "quoted" | "not_found" | "disputed" | "failed"
  value: string
  unit: string
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

export interface Cell {
  column: string
  status: "open" | "checked" | "quoted" | "not_found" | "disputed" | "failed"
  value: string
  unit: string
  quote: string
  page: number | null
  paragraph: number | null
  place: string
  why: string
  by: string
  asked: number
}

export interface Changes {
  run: string
  discarded: boolean
  errors: number
  items: Item[]
  refused: Record<string, string>
  past: Past[]
}

export interface CheckRow {
  name: string
  state: "ok" | "warn" | "fail"
  cause: string
  cure: string
  curable: boolean
}

export interface Checked {
  passed: boolean
  rules: number
  findings: Finding[]
  kind: "checked"
}

export interface Choice {
  value: string
  label: string
}

export interface Chosen {
  name: string
  key: "" | "environment" | "kept"
  place: string
  url: string
  fixed: string
}

export interface Cite {
  mark: string
  path: string
  label: string
  source: string
  where: Record<string, string>
  quote: string
}

export interface ConnectorRow {
  name: string
  url: string
  server: string
  categories: string[]
  of: string
  login: "" | "in" | "out"
  secrets: string[]
  tools: ToolRow[]
}

export interface Connectors {
  rows: ConnectorRow[]
}

export interface Curing {
  name: string
  line: string
}

export interface Desk {
  version: string
  home: string
  models: ModelChoice[]
  model: string
  plugins: Plugin[]
  sample: string
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

export interface Document {
  name: string
  size: number
}

export interface Documents {
  folder: string
  files: Document[]
  others: number
  cut: boolean
}

export interface Drawn {
  page: number
  of: number
  found: boolean
  boxes: number[][]
  picture: string
}

export interface Earlier {
  seq: number
  cost_usd: number
  priced: boolean
  said: number
  plan: Step[]
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

export interface Evidence {
  number: number
  path: string
  cells: Cell[]
}

export interface Excerpt {
  kind: string
  found: boolean
  at: number
  last: number
  paragraphs: Passage[]
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
  kept: Kept[]
  pictures: Looked[]
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

export interface Granted {
  folder: string
  mode: "ro" | "rw" | "rw-no-delete"
}

export interface Heading {
  name: string
  question: string
  kind: "text" | "number" | "money" | "date" | "yes_no" | "choice"
}

export interface Health {
  checks: CheckRow[]
  did: string
}

export interface HostRule {
  host: string
  words: string
  by: string
  mine: boolean
}

export interface Inbox {
  items: Waits[]
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
  now: string
}

export interface Kept {
  name: string
  size: number
  sha256: string
  media: string
}

export interface Line {
  number: number
  document: string
  state: "open" | "again" | "done"
  cells: Brief[]
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

export interface Locus {
  id: string
  digest: string
  label: string
  where: Record<string, string>
  quote: string
  value: string
}

export interface Looked {
  sha256: string
  media: string
}

export interface Lying {
  name: string
  path: string
  size: number | null
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

export interface Offered {
  name: string
  about: string
  arguments: string[]
  says: string
  differs: string[]
}

export interface Opened {
  path: string
  changed: boolean
  excerpt: Excerpt
}

export interface OpenedSheet {
  path: string
  changed: boolean
  rows: SheetRows
}

export interface Pages {
  first: number
  pictures: string[]
  more: boolean
}

export interface Pairing {
  name: string
  port: number
  rows: string[]
  seconds: number
}

export interface Passage {
  paragraph: number
  page: number
  number: string
  text: string
  marks: number[][]
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

export interface Policy {
  mode: "ask" | "auto-read" | "auto"
  rules: Rule[]
  budget_usd: number | null
}

export interface Priced {
  id: string
  rows: number
  columns: number
  model: string
  batch: boolean
  sampled: number
  estimate_usd: number | null
  budget_usd: number | null
  unreadable: Record<string, string>
}

export interface Progress {
  thread: string
  text: string
  done: number
  total: number
  kind: "progress"
}

export interface ProjectRow {
  id: string
  name: string
  instructions: string
  folders: Granted[]
  plugins: string[]
}

export interface Projects {
  rows: ProjectRow[]
}

export interface Queue {
  thread: string
  messages: Queued[]
  kind: "queue"
}

export interface Queued {
  id: string
  text: string
  time: string
  attached: string[]
  folder: string
}

export interface Reach {
  connectors: Reached[]
  hosts: HostRule[]
}

export interface Reached {
  name: string
  server: string
  tools: number
  on: boolean
}

export interface Replied {
  text: string
  label: string
  calls: Call[]
  tokens: number
  cost_usd: number | null
  cites: Cite[]
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
  project: string
  problem: string
}

export interface Rule {
  decision: "allow" | "ask" | "deny"
  tool: string
  where: Record<string, string>
}

export interface Said {
  text: string
  model: string
  queued: string
  kind: "said"
}

export interface Sample {
  folder: string
  text: string
  plugin: string
}

export interface ScheduleRow {
  id: string
  name: string
  state: "draft" | "active" | "paused" | "over"
  why: string
  when: string
  zone: string
  text: string
  next: string[]
  last: Turn | null
}

export interface ScheduleRows {
  served: boolean
  rows: ScheduleRow[]
}

export interface ScheduleWhole {
  row: ScheduleRow
  facts: Record<string, string>
  history: Turn[]
  may_agree: boolean
}

export interface SheetRows {
  sheets: string[]
  sheet: string
  rows: number
  columns: number
  widths: number[]
  top: number
  cells: string[][]
  kinds: string[]
  formulas: Record<string, string>
}

export interface Shelf {
  path: string
  entries: Lying[]
  cut: boolean
}

export interface Shown {
  path: string
  operation: "create" | "modify" | "delete" | "mkdir" | "rmdir" | "mode"
  hunks: string[]
  applied: string[]
  lines: string[]
}

export interface SourceFile {
  path: string
  places: Locus[]
  more: number
}

export interface Sources {
  files: SourceFile[]
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

export interface TableRow {
  id: string
  question: string
  made: string
  model: string
  batch: boolean
  rows: number
  done: number
  cells: Record<string, number>
  cost_usd: number
  budget_usd: number | null
  calls: number
  working: boolean
  here: boolean
  doing: string
  problem: string
}

export interface TableRows {
  rows: TableRow[]
}

export interface Tested {
  server: string
  tools: number
  added: string[]
  gone: string[]
  changed: string[]
}

export interface Thread {
  row: Row
  entries: Entry[]
  earlier: Earlier
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
  queued: Queued[]
}

export interface Threads {
  rows: Row[]
}

export interface ToolRow {
  name: string
  about: string
  decision: string
  risk: "read" | "write" | "send"
  says: string
  off: string
}

export interface Tried {
  model: string
  label: string
  text: string
}

export interface Trouble {
  message: string
  hint: string
}

export interface Turn {
  due: string
  until: string
  count: number
  trigger: "time" | "late" | "change" | "hand" | "dry run"
  state: "claimed" | "running" | "waiting" | "succeeded" | "failed" | "skipped"
  why: string
  note: string
  thread: string
  deadline: string
}

export interface Underway {
  name: string
  kind: "add" | "login" | "review"
  step: "fetching" | "fetched" | "asking" | "login wanted" | "login" | "shown" | "done" | "failed"
  url: string
  server: string
  line: string
  login: string
  login_host: string
  program: string[]
  tools: Offered[]
  gone: string[]
  left_out: Record<string, string>
  problem: string
  hint: string
}

export interface Unlisted {
  thread: string
  kind: "unlisted"
}

export interface Upload {
  id: string
  name: string
  size: number
  received: number
}

export interface Waits {
  id: string
  kind: "approval" | "question" | "failure" | "deliverable"
  thread: string
  title: string
  text: string
  since: string
  deadline: string
  schedule: string
  sentence: string
  why: string
  shown: string[]
  choices: string[]
  use: string
  arguments: string
  sends: boolean
}

export interface Wanted {
  use: string
  connector: string
  message: string
  problem: string
  blanks: Blank[]
  kind: "wanted"
}

export interface Window {
  table: TableRow
  columns: Heading[]
  after: number
  lines: Line[]
}

export interface Words {
  path: string
  text: string
  cut: boolean
  by: string
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

export type Body = Said | Replied | Started | Finished | Asked | Answered | Staged | Checked | Ended | Applied | Noted | Wanted

export type Message = Reset | Stored | Streamed | Progress | Working | Listed | Unlisted | Queue
