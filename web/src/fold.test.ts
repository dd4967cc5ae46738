import { describe, expect, it } from "vitest"
import type { Body, Call, Entry } from "./contract.gen"
import { after, fold, nothing, summary } from "./fold"

const at = (seq: number, body: Body): Entry => ({ seq, time: `2026-01-01T00:00:${String(seq).padStart(2, "0")}Z`, body })
const call = (id: string, sentence: string, tool = "workspace__read"): Call => ({
  id, tool, sentence, arguments: {}, question: "", choices: [], steps: [],
})
const replied = (text: string, ...calls: Call[]): Body => ({
  kind: "replied", text, label: "", calls, tokens: 15, cost_usd: 0.5, cites: [],
})
const finished = (use: string, outcome: "ok" | "error" = "ok"): Body => ({
  kind: "finished", use, outcome, text: "found", cut: false, files: [], wrote: false, kept: [], pictures: [],
})

describe("fold", () => {
  const entries = [
    at(2, { kind: "said", text: "Compare", model: "offline", queued: "" }),
    at(4, replied("I will read.", call("a", "reading x/a.txt"), call("b", "reading x/b.txt"))),
    at(5, { kind: "started", use: "a" }),
    at(6, finished("a")),
    at(7, finished("b", "error")),
    at(8, replied("", call("c", "running ls"))),
    at(9, finished("c")),
    at(11, replied("Done.")),
  ]

  it("gives the same whether entries come at once or one by one, also twice", () => {
    const whole = fold(nothing, entries)
    const single = entries.reduce((story, entry) => fold(fold(story, [entry]), [entry]), nothing)
    expect(single).toEqual(whole)
    expect(nothing.blocks).toEqual([])
  })

  it("keeps calls in a row together and tells how each ended", () => {
    const { blocks, cost } = fold(nothing, entries)
    expect(blocks.map((block) => block.type)).toEqual(["said", "answer", "work", "answer"])
    const work = blocks[2]!
    if (work.type !== "work") throw new Error("no work")
    expect(work.items.map((item) => item.state)).toEqual(["ok", "failed", "ok"])
    expect(summary(work.items)).toBe("Read 2 files, ran 1 command")
    expect(cost).toBe(1.5)
  })

  it("answers the question that was asked and no other", () => {
    const ask = (use: string, args: string): Body => ({
      kind: "asked", use, arguments: args, title: "t", why: "w", shown: {}, sends: false, expires: "",
    })
    const { blocks } = fold(nothing, [
      at(1, ask("u", "1")),
      at(2, ask("u", "2")),
      at(3, { kind: "answered", use: "u", arguments: "1", allow: true, by: "user" }),
    ])
    expect(blocks.map((block) => block.type === "ask" && block.allow)).toEqual([true, null])
  })

  it("closes a question when the user says something", () => {
    const question = { ...call("q", "asking you something", "workspace__ask"), question: "Which?", choices: ["A", "B"] }
    const open = fold(nothing, [at(1, replied("", question))])
    expect(open.blocks).toMatchObject([{ type: "question", open: true, choices: ["A", "B"] }])
    expect(fold(open, [at(2, { kind: "said", text: "A", model: "", queued: "" })]).blocks[0]).toMatchObject({ open: false })
  })

  it("takes the plan from the last word on it, and ends it with the run", () => {
    const plan = { ...call("p", "writing its plan down", "workspace__plan"), steps: [{ text: "One", state: "doing" as const }] }
    const story = fold(nothing, [at(1, replied("", plan))])
    expect(story.plan).toEqual([{ text: "One", state: "doing" }])
    expect(story.blocks).toEqual([{ type: "plan", seq: 1 }])
    expect(fold(story, [at(2, { kind: "ended", reason: "done", text: "" })]).plan[0]!.state).toBe("done")
  })

  it("says that a price is not known rather than that it is nothing", () => {
    const unknown: Body = { kind: "replied", text: "x", label: "", calls: [], tokens: 5, cost_usd: null, cites: [] }
    expect(fold(nothing, [at(1, unknown)]).priced).toBe(false)
  })

  it("shows a plan once a request, where it was made", () => {
    const plan = (id: string) => ({ ...call(id, "writing its plan down", "workspace__plan"), steps: [{ text: "One", state: "doing" as const }] })
    const said = (seq: number) => at(seq, { kind: "said", text: "Go on", model: "", queued: "" })
    const story = fold(nothing, [said(1), at(2, replied("", plan("a"))), at(3, replied("", plan("b"))), said(4), at(5, replied("", plan("c")))])
    expect(story.blocks.filter((block) => block.type === "plan").map((block) => block.seq)).toEqual([2, 5])
  })

  it("closes a server's form with the user's answer", () => {
    const wanted: Body = { kind: "wanted", use: "u", connector: "crm", message: "Which?", problem: "", blanks: [] }
    const open = fold(nothing, [at(1, wanted)])
    expect(open.blocks[0]).toMatchObject({ type: "form", open: true })
    expect(fold(open, [at(2, { kind: "said", text: "yes", model: "", queued: "" })]).blocks[0]).toMatchObject({ open: false })
  })

  it("counts what came before the entries that are there", () => {
    const plan = [{ text: "One", state: "done" as const }]
    const story = fold(after({ seq: 7, cost_usd: 2, priced: true, said: 3, plan }), [...entries, at(12, replied("More."))])
    expect([story.cost, story.said, story.plan]).toEqual([3.5, 3, plan])
    expect(story.blocks.map((block) => block.seq)).toEqual([8, 11, 12])
  })
})
