// What a thread may do unasked, what was decided for good, and what all its runs together may cost.
import { useEffect, useState } from "preact/hooks"
import { get, patch, post, remove } from "./api"
import type { Policy, Rule } from "./contract.gen"
import { Dialog } from "./Dialog"
import { Cross } from "./icons"
import { Reaches } from "./Reaches"
import { fail, open, tell } from "./store"
import "./views.css"

const MODES: [Policy["mode"], string][] = [
  ["ask", "Ask before anything"],
  ["auto-read", "Read by themselves, ask before they change anything"],
  ["auto", "Read and change by themselves"],
]
const WORDS: Record<Rule["decision"], string> = { allow: "runs unasked", ask: "is always asked about", deny: "never runs" }

export function Rules({ thread, close }: { thread: string; close: () => void }) {
  const [now, setNow] = useState<Policy | null>(null)
  const [budget, setBudget] = useState("")
  const path = `/api/threads/${thread}/policy`
  const take = (policy: Policy) => {
    setNow(policy)
    setBudget(policy.budget_usd === null ? "" : String(policy.budget_usd))
  }
  useEffect(() => void get<Policy>(path).then(take).catch(fail), [])
  const change = async (work: Promise<Policy>) => {
    try {
      take(await work)
      tell("Kept. It holds from the next run on.")
    } catch (error) {
      fail(error)
    }
  }
  const usd = Number(budget)
  const wrong = budget.trim() !== "" && !(usd >= 0)
  return (
    <Dialog title="What this thread may do" close={close} wide>
      {!now && <div class="bone late" />}
      {now && (
        <div class="edit">
          <label for="r-mode">What its connectors may do</label>
          <select id="r-mode" value={now.mode} onChange={(event) => change(patch<Policy>(path, { mode: event.currentTarget.value }))}>
            {MODES.map(([mode, words]) => (
              <option key={mode} value={mode}>
                {words}
              </option>
            ))}
          </select>
          <p class="mut s13">Whatever is chosen: what sends outside is asked about each time, and files are written only when you apply them.</p>
          <form
            onSubmit={(event) => {
              event.preventDefault()
              if (!wrong) void change(patch<Policy>(path, { budget_usd: budget.trim() ? usd : null }))
            }}
          >
            <label for="r-budget">All runs together may cost, in US dollars</label>
            <div class="pathline">
              <input id="r-budget" inputMode="decimal" placeholder="No limit" value={budget} aria-invalid={wrong} onInput={(event) => setBudget(event.currentTarget.value)} />
              <button disabled={wrong}>Keep</button>
            </div>
          </form>
          <fieldset>
            <legend>Decided for good</legend>
            {now.rules.length === 0 && <p class="mut s13">Nothing: each call is asked about as above.</p>}
            {now.rules.map((rule) => {
              const target = Object.entries(rule.where).map(([name, value]) => `${name} = ${value}`).join(", ")
              return (
                <div class="granted" key={rule.tool + target}>
                  <span class="t">
                    <b>{rule.tool}</b> {target && <span class="mut">with {target}</span>} {WORDS[rule.decision]}
                  </span>
                  <button class="icon ghost" aria-label={`Forget the rule on ${rule.tool}`} onClick={() => change(remove<Policy>(`${path}/rules`, { tool: rule.tool, where: rule.where }))}>
                    <Cross />
                  </button>
                </div>
              )
            })}
            <NewRule add={(rule) => change(post<Policy>(`${path}/rules`, rule))} />
          </fieldset>
          <Reaches thread={thread} />
        </div>
      )}
    </Dialog>
  )
}

// one more rule: a tool, what holds for it, and the target where it holds
function NewRule({ add }: { add: (rule: Pick<Rule, "tool" | "decision" | "where">) => Promise<void> }) {
  const [tool, setTool] = useState("")
  const [decision, setDecision] = useState<Rule["decision"]>("ask")
  const [target, setTarget] = useState("")
  const used = new Set(open.value?.story.blocks.flatMap((block) => (block.type === "work" ? block.items.map((item) => item.tool) : [])) ?? [])
  const parts = target.split("\n").map((one) => one.trim()).filter(Boolean)
  const wrong = parts.some((one) => one.indexOf("=") < 1)
  const known = /^[A-Za-z0-9_-]{1,64}$/.test(tool.trim())
  const save = () =>
    add({ tool: tool.trim(), decision, where: Object.fromEntries(parts.map((one) => [one.slice(0, one.indexOf("=")).trim(), one.slice(one.indexOf("=") + 1).trim()])) }).then(() => {
      setTool("")
      setTarget("")
    })
  return (
    <details>
      <summary>Decide on another tool</summary>
      <div class="edit">
        <label for="r-tool">Tool</label>
        <input id="r-tool" list="r-tools" spellcheck={false} autocomplete="off" placeholder="crm__find_customer" value={tool} onInput={(event) => setTool(event.currentTarget.value)} />
        <datalist id="r-tools">
          {[...used].sort().map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        <label for="r-decision">From now on it</label>
        <select id="r-decision" value={decision} onChange={(event) => setDecision(event.currentTarget.value as Rule["decision"])}>
          {(["ask", "allow", "deny"] as const).map((one) => (
            <option key={one} value={one}>
              {WORDS[one]}
            </option>
          ))}
        </select>
        <label for="r-target">Only with these arguments, one a line; empty: any call</label>
        <textarea id="r-target" rows={2} spellcheck={false} placeholder="folder=Drafts" value={target} aria-invalid={wrong} onInput={(event) => setTarget(event.currentTarget.value)} />
        <div class="b">
          <button type="button" disabled={!known || wrong} onClick={save}>
            Keep this rule
          </button>
          <span class="mut s13">{wrong ? "Write NAME=VALUE." : "A tool that sends is asked about all the same."}</span>
        </div>
      </div>
    </details>
  )
}
