// The plan as the user wants it: what is written here goes to the run as a message, and stands in the conversation.
import { useState } from "preact/hooks"
import { post } from "./api"
import type { Made, Queued, Step } from "./contract.gen"
import { Dialog } from "./Dialog"
import { Cross, Plus } from "./icons"
import { fail, tell } from "./store"
import "./views.css"

type Props = { thread: string; steps: readonly Step[]; busy: boolean; close: () => void }

export function PlanEdit({ thread, steps, busy, close }: Props) {
  const done = steps.filter((step) => step.state === "done")
  const [texts, setTexts] = useState(steps.filter((step) => step.state !== "done").map((step) => step.text))
  const wanted = texts.map((text) => text.trim()).filter(Boolean)
  const change = (at: number, text: string) => setTexts(texts.map((one, index) => (index === at ? text : one)))
  const move = (at: number, by: number) => {
    const next = [...texts]
    const [one] = next.splice(at, 1)
    next.splice(at + by, 0, one!)
    setTexts(next)
  }
  const send = async () => {
    const lines = wanted.map((text, at) => `${at + 1}. ${text}`).join("\n")
    const text = `Change of plan. ${done.length ? "What is done stays done. " : ""}From here on work by this plan, and by no other step:\n${lines}`
    try {
      if (busy) await post<Queued>(`/api/threads/${thread}/queue`, { text })
      else await post<Made>(`/api/threads/${thread}/messages`, { text })
      tell(busy ? "The new plan is heard when this step is done." : "The work goes on by the new plan.")
      close()
    } catch (error) {
      fail(error)
    }
  }
  return (
    <Dialog title="Edit the plan" close={close} wide>
      <form
        class="edit"
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
      >
        {done.length > 0 && <p class="s13 mut">Done already: {done.map((step) => step.text).join("; ")}.</p>}
        <ol class="plan-edit">
          {texts.map((text, at) => (
            <li key={at}>
              <label class="unseen" for={`s-${at}`}>
                Step {at + 1}
              </label>
              <input id={`s-${at}`} value={text} maxLength={500} onInput={(event) => change(at, event.currentTarget.value)} />
              <button type="button" class="sm" disabled={at === 0} aria-label={`Step ${at + 1} earlier`} onClick={() => move(at, -1)}>
                ↑
              </button>
              <button type="button" class="sm" disabled={at === texts.length - 1} aria-label={`Step ${at + 1} later`} onClick={() => move(at, 1)}>
                ↓
              </button>
              <button type="button" class="sm ghost" aria-label={`Take step ${at + 1} out`} onClick={() => setTexts(texts.filter((_, index) => index !== at))}>
                <Cross size={14} />
              </button>
            </li>
          ))}
        </ol>
        <div class="b">
          <button type="button" class="sm" disabled={texts.length >= 30} onClick={() => setTexts([...texts, ""])}>
            <Plus size={14} /> Add a step
          </button>
        </div>
        <footer>
          <button class="pri" disabled={!wanted.length}>
            Use this plan
          </button>
        </footer>
      </form>
    </Dialog>
  )
}
