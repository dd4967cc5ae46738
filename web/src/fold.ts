// From the entries of a thread to what is on the page: pure, the same for history and for what comes live.
import type { Asked, Call, Cite, Earlier, Entry, File, Finding, Kept, Looked, Step, Wanted } from "./contract.gen"

export interface Work {
  id: string
  tool: string
  sentence: string
  arguments: Record<string, string>
  state: "waiting" | "running" | "ok" | "failed"
  text: string
  cut: boolean
  // what the model looked at beside the text
  pictures: readonly Looked[]
}

export type Block =
  | { type: "said"; seq: number; time: string; text: string }
  | { type: "plan"; seq: number }
  | { type: "answer"; seq: number; text: string; label: string; cites: readonly Cite[] }
  | { type: "work"; seq: number; items: Work[]; from: string; to: string }
  | { type: "ask"; seq: number; asked: Asked; allow: boolean | null; by: string }
  | { type: "question"; seq: number; question: string; choices: string[]; open: boolean }
  | { type: "form"; seq: number; form: Wanted; open: boolean }
  | { type: "checked"; seq: number; passed: boolean; rules: number; findings: Finding[] }
  | { type: "kept"; seq: number; files: Kept[] }
  | { type: "staged"; seq: number; count: number; files: File[]; refused: Record<string, string> }
  | { type: "applied"; seq: number; time: string; plan: string; undo: boolean; applied: boolean; text: string; left: number | null }
  | { type: "ended"; seq: number; reason: string; text: string }
  | { type: "noted"; seq: number; text: string; attention: boolean }

export interface Story {
  last: number
  blocks: Block[]
  plan: Step[]
  cost: number
  priced: boolean
  said: number
}

export const nothing: Story = { last: 0, blocks: [], plan: [], cost: 0, priced: true, said: 0 }

// what came before the entries that are there
export const after = (earlier: Earlier): Story => ({ ...nothing, last: earlier.seq, plan: earlier.plan, cost: earlier.cost_usd, priced: earlier.priced, said: earlier.said })

const QUIET = new Set(["workspace__plan", "workspace__ask", "workspace__present"])

export function fold(story: Story, entries: readonly Entry[]): Story {
  const next: Story = { ...story, blocks: [...story.blocks] }
  for (const entry of entries) {
    if (entry.seq <= next.last) continue
    next.last = entry.seq
    take(next, entry)
  }
  return next
}

function take(story: Story, { seq, time, body }: Entry): void {
  const { blocks } = story
  switch (body.kind) {
    case "said":
      story.said += 1
      closeQuestions(blocks)
      blocks.push({ type: "said", seq, time, text: body.text })
      break
    case "replied":
      story.cost += body.cost_usd ?? 0
      if (body.cost_usd === null && body.tokens > 0) story.priced = false
      if (body.text) blocks.push({ type: "answer", seq, text: body.text, label: body.label, cites: body.cites })
      for (const call of body.calls) called(story, seq, time, call)
      break
    case "started":
      work(blocks, body.use, (item) => ({ ...item, state: "running" }), time)
      break
    case "finished":
      work(
        blocks,
        body.use,
        (item) => ({ ...item, state: body.outcome === "ok" ? "ok" : "failed", text: body.text, cut: body.cut, pictures: body.pictures }),
        time,
      )
      if (body.kept.length) blocks.push({ type: "kept", seq, files: body.kept })
      break
    case "asked":
      blocks.push({ type: "ask", seq, asked: body, allow: null, by: "" })
      break
    case "answered":
      answer(blocks, body.use, body.arguments, body.allow, body.by)
      break
    case "checked":
      blocks.push({ type: "checked", seq, passed: body.passed, rules: body.rules, findings: body.findings })
      break
    case "staged": {
      const count = body.created + body.modified + body.deleted
      if (count || body.files.length) blocks.push({ type: "staged", seq, count, files: body.files, refused: body.refused })
      break
    }
    case "applied":
      blocks.push({ type: "applied", seq, time, plan: body.plan, undo: body.undo, applied: body.applied, text: body.text, left: body.left })
      break
    case "ended":
      if (body.reason !== "done") blocks.push({ type: "ended", seq, reason: body.reason, text: body.text })
      if (body.reason === "done") story.plan = story.plan.map((step) => ({ ...step, state: "done" }))
      break
    case "wanted":
      blocks.push({ type: "form", seq, form: body, open: true })
      break
    case "noted":
      blocks.push({ type: "noted", seq, text: body.text, attention: body.level === "attention" })
      break
  }
}

function called(story: Story, seq: number, time: string, call: Call): void {
  if (call.steps.length) {
    story.plan = call.steps
    // once a request: it stands where it was made, and shows how far it is now
    const said = story.blocks.findLastIndex((block) => block.type === "said")
    if (!story.blocks.slice(said + 1).some((block) => block.type === "plan")) story.blocks.push({ type: "plan", seq })
  }
  if (call.question) {
    story.blocks.push({ type: "question", seq, question: call.question, choices: call.choices, open: true })
  }
  if (QUIET.has(call.tool)) return
  const item: Work = { id: call.id, tool: call.tool, sentence: call.sentence, arguments: call.arguments, state: "waiting", text: "", cut: false, pictures: [] }
  const last = story.blocks.at(-1)
  if (last?.type === "work") {
    story.blocks[story.blocks.length - 1] = { ...last, items: [...last.items, item], to: time }
  } else {
    story.blocks.push({ type: "work", seq, items: [item], from: time, to: time })
  }
}

function work(blocks: Block[], use: string, change: (item: Work) => Work, time: string): void {
  for (let at = blocks.length - 1; at >= 0; at -= 1) {
    const block = blocks[at]!
    if (block.type === "said") return
    if (block.type !== "work" || !block.items.some((item) => item.id === use)) continue
    blocks[at] = { ...block, items: block.items.map((item) => (item.id === use ? change(item) : item)), to: time }
    return
  }
}

function answer(blocks: Block[], use: string, args: string, allow: boolean, by: string): void {
  for (let at = blocks.length - 1; at >= 0; at -= 1) {
    const block = blocks[at]!
    if (block.type === "ask" && block.allow === null && block.asked.use === use && block.asked.arguments === args) {
      blocks[at] = { ...block, allow, by }
      return
    }
  }
}

function closeQuestions(blocks: Block[]): void {
  blocks.forEach((block, at) => {
    if ((block.type === "question" || block.type === "form") && block.open) blocks[at] = { ...block, open: false }
  })
}

// What the output checks found in what the last run staged.
export function findings(story: Story): Finding[] {
  const staged = story.blocks.findLastIndex((block) => block.type === "staged")
  const from = story.blocks.slice(0, Math.max(staged, 0)).findLastIndex((block) => block.type === "said")
  return story.blocks.slice(from + 1).flatMap((block) => (block.type === "checked" ? block.findings : []))
}

const VERBS: [string, string, string, string][] = [
  ["reading ", "Read", "file", "files"],
  ["writing ", "Wrote", "file", "files"],
  ["editing ", "Edited", "file", "files"],
  ["presenting ", "Presented", "file", "files"],
  ["looking ", "Looked at", "place", "places"],
  ["searching ", "Searched", "time", "times"],
  ["running ", "Ran", "command", "commands"],
]

// One human sentence for a group of calls: "Read 3 files, ran 2 commands".
export function summary(items: readonly Work[]): string {
  if (items.length === 1) return sentence(items[0]!.sentence)
  const parts: string[] = []
  let rest = items.length
  for (const [start, verb, one, many] of VERBS) {
    const count = items.filter((item) => item.sentence.startsWith(start)).length
    if (count) parts.push(`${verb} ${count} ${count === 1 ? one : many}`)
    rest -= count
  }
  if (rest) parts.push(`${parts.length ? "took" : "Took"} ${rest}${parts.length ? " more" : ""} ${rest === 1 ? "step" : "steps"}`)
  return parts.map((part, at) => (at ? part.charAt(0).toLowerCase() + part.slice(1) : part)).join(", ")
}

export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}
