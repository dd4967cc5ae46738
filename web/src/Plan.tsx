// The plan where it was made: how far it is, and the way to change it.
import { useState } from "preact/hooks"
import type { Step } from "./contract.gen"
import { Check, Circle, ListChecks, Loader } from "./icons"
import type { PlanEdit as PlanEditOf } from "./PlanEdit"
import { open } from "./store"

export function Steps({ steps, live }: { steps: readonly Step[]; live: boolean }) {
  return (
    <ol class="plan">
      {steps.map((step, at) => (
        <li key={at} class={step.state}>
          {step.state === "done" ? <Check size={15} /> : step.state === "doing" ? <Loader size={15} class={live ? "spin" : ""} /> : <Circle size={15} />}
          <span>
            {step.text}
            <span class="unseen"> ({step.state === "todo" ? "to do" : step.state})</span>
          </span>
        </li>
      ))}
    </ol>
  )
}

export function Plan({ thread, seq }: { thread: string; seq: number }) {
  const [Edit, setEdit] = useState<typeof PlanEditOf | null>(null)
  const now = open.value
  // an earlier request's plan has become this one
  if (!now || now.story.blocks.findLast((block) => block.type === "plan")?.seq !== seq) return null
  const { story } = now
  const steps = story.plan
  const done = steps.filter((step) => step.state === "done").length
  const busy = now.thread.live !== null || now.thread.row.state === "working"
  const waits = story.blocks.some((block) => block.type === "ask" && block.allow === null)
  // an answer is wanted first: the plan would be taken for it
  const asks = story.blocks.some((block) => (block.type === "question" || block.type === "form") && block.open)
  const edit = () => import("./PlanEdit").then((views) => setEdit(() => views.PlanEdit)).catch(() => location.reload())
  return (
    <section class="act planned" aria-label="Plan">
      <div class="planhead">
        <ListChecks size={15} />
        <b>Plan</b>
        <span class="mut">
          {done} of {steps.length} done
        </span>
        {done < steps.length && !asks && (
          <button class="sm ghost r" onClick={edit}>
            Edit plan
          </button>
        )}
      </div>
      <ol>
        {steps.map((step, at) => (
          <li key={at} class={step.state}>
            {step.state === "done" ? <Check size={15} /> : step.state === "doing" ? <Loader size={15} class={now.thread.live && !waits ? "spin" : ""} /> : <Circle size={15} />}
            <span class="t">
              {step.text}
              <span class="unseen"> ({step.state === "todo" ? "to do" : step.state})</span>
            </span>
            {step.state === "doing" && waits && <span class="s12 attention">Waiting for you</span>}
          </li>
        ))}
      </ol>
      {Edit && <Edit thread={thread} steps={steps} busy={busy} close={() => setEdit(null)} />}
    </section>
  )
}
