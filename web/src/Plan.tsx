// The plan where it was made: how far it is, and the way to change it.
import { useState } from "preact/hooks"
import type { Step } from "./contract.gen"
import { Check, Circle, Hand, ListChecks, Loader } from "./icons"
import type { PlanEdit as PlanEditOf } from "./PlanEdit"
import { open, type Open } from "./store"

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

// How far a plan is, in a line.
export function standing({ story, thread }: Open): { done: number; of: number; waits: boolean; words: string } {
  const done = story.plan.filter((step) => step.state === "done").length
  const waits = story.blocks.some((block) => (block.type === "ask" && block.allow === null) || ((block.type === "question" || block.type === "form") && block.open))
  const doing = story.plan.find((step) => step.state === "doing")
  const busy = thread.live !== null || thread.row.state === "working"
  return { done, of: story.plan.length, waits, words: waits ? "waiting for you" : busy ? (doing?.text ?? "") : "" }
}

export function EditPlan({ now, extra = "" }: { now: Open; extra?: string }) {
  const [Edit, setEdit] = useState<typeof PlanEditOf | null>(null)
  const { story, thread } = now
  const edit = () => import("./PlanEdit").then((views) => setEdit(() => views.PlanEdit)).catch(() => location.reload())
  // an answer is wanted first: the plan would be taken for it
  const asks = story.blocks.some((block) => (block.type === "question" || block.type === "form") && block.open)
  if (asks || story.plan.every((step) => step.state === "done")) return null
  return (
    <>
      <button class={`sm ghost r ${extra}`} onClick={edit}>
        Edit plan
      </button>
      {Edit && <Edit thread={now.id} steps={story.plan} busy={thread.live !== null || thread.row.state === "working"} close={() => setEdit(null)} />}
    </>
  )
}

export function Plan({ seq }: { seq: number }) {
  const now = open.value
  // an earlier request's plan has become this one
  if (!now || now.story.blocks.findLast((block) => block.type === "plan")?.seq !== seq) return null
  const { story } = now
  const steps = story.plan
  const { done } = standing(now)
  const waits = story.blocks.some((block) => block.type === "ask" && block.allow === null)
  return (
    <section class="act planned" aria-label="Plan">
      <div class="planhead">
        <ListChecks size={15} />
        <b>Plan</b>
        <span class="mut">
          {done} of {steps.length} done
        </span>
        <EditPlan now={now} />
      </div>
      <ol>
        {steps.map((step, at) => (
          <li key={at} class={step.state}>
            {step.state === "done" ? <Check size={15} /> : step.state !== "doing" ? <Circle size={15} /> : waits ? <Hand size={15} /> : <Loader size={15} class={now.thread.live ? "spin" : ""} />}
            <span class="t">
              {step.text}
              <span class="unseen"> ({step.state === "todo" ? "to do" : step.state})</span>
            </span>
            {step.state === "doing" && waits && <span class="s12 attention">Waiting for you</span>}
          </li>
        ))}
      </ol>
    </section>
  )
}
