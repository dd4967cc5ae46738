// Where the user says more. What is typed is kept until it is stored.
import { useEffect, useRef, useState } from "preact/hooks"
import { post } from "./api"
import { AttachButton, AttachedFiles, useAttachments } from "./Attach"
import type { Made, Queued } from "./contract.gen"
import { ArrowUp, Lock } from "./icons"
import { desk, draft, dropDraft, fail, keepDraft, open, spoken, type Open } from "./store"
import { count, money } from "./words"

export function Composer({ now }: { now: Open }) {
  const [text, setText] = useState(draft(now.id))
  const [model, setModel] = useState("")
  const files = useAttachments()
  const field = useRef<HTMLTextAreaElement>(null)
  const { thread, story } = now
  const busy = thread.live !== null || thread.row.state === "working"
  useEffect(() => {
    const box = field.current
    if (!box) return
    box.style.height = "auto"
    box.style.height = `${Math.min(box.scrollHeight, 240)}px`
  }, [text])
  // stored: the draft is gone, and the box is empty for the next
  const kept = draft(now.id)
  useEffect(() => {
    if (story.said && !kept && now.sent === "") setText((was) => (was && draft(now.id) === "" ? "" : was))
  }, [story.said])
  const send = async () => {
    const words = text.trim()
    if (!words || !files.ready) return
    if (busy) {
      try {
        await post<Queued>(`/api/threads/${now.id}/queue`, { text: words, attachments: files.ids })
        spoken.value = files.ids.length ? "Queued with its files. It is heard when this has finished." : "Queued. It is heard when this step is done."
        files.clear()
        dropDraft(now.id)
        setText("")
      } catch (error) {
        fail(error)
      }
      return
    }
    open.value = { ...now, sent: words }
    try {
      await post<Made>(`/api/threads/${now.id}/messages`, {
        text: words,
        model: model || undefined,
        apply: thread.apply,
        budget_usd: thread.budget_usd,
        attachments: files.ids,
      })
      files.clear()
    } catch (error) {
      if (open.value?.id === now.id) open.value = { ...open.value, sent: "" }
      fail(error)
    }
  }
  const question = story.blocks.some((block) => (block.type === "question" || block.type === "form") && block.open)
  const chosen = model || thread.model
  const models = desk.value?.models ?? []
  return (
    <div class="comp">
      <form
        class="box"
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault()
          if (!question) files.add([...(event.dataTransfer?.files ?? [])])
        }}
      >
        <AttachedFiles of={files} />
        <label class="unseen" for="say">
          Your message
        </label>
        <textarea
          id="say"
          ref={field}
          rows={1}
          placeholder={busy ? "Add something while it works" : question ? "Your answer" : "Reply, or ask for more"}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value)
            keepDraft(now.id, event.currentTarget.value)
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
            event.preventDefault()
            void send()
          }}
        />
        <div class="bar">
          <AttachButton to={files} disabled={question} why={question ? "Answer first" : busy ? "With files it is heard when this has finished" : undefined} />
          <label class="unseen" for="next-model">
            Model
          </label>
          <select id="next-model" class="plain" value={chosen} onChange={(event) => setModel(event.currentTarget.value)}>
            {!models.some((one) => one.name === chosen) && chosen && <option value={chosen}>{chosen}</option>}
            {models.map((one) => (
              <option key={one.name} value={one.name} disabled={one.lacks !== ""}>
                {one.name}
                {one.lacks && ` (${one.lacks})`}
              </option>
            ))}
          </select>
          <span class="mut s12">{thread.apply === "review" ? "Asks before it writes" : thread.apply === "new" ? "Writes new files by itself" : "Writes all but deletions by itself"}</span>
          <button class="pri send icon" aria-label={busy ? "Send when this step is done" : "Send"} disabled={!text.trim() || !files.ready}>
            <ArrowUp />
          </button>
        </div>
      </form>
      <div class="hint">
        <span>
          <Lock size={12} /> {walls(thread.isolation)} {thread.hosts.length ? `Network: ${count(thread.hosts.length, "site")} allowed.` : "No network."}
        </span>
        <span>
          {money(story.cost)}
          {story.priced ? "" : " and what has no known price"}
          {thread.budget_usd !== null ? ` of ${money(thread.budget_usd)} a request` : " so far"}
        </span>
      </div>
    </div>
  )
}

function walls(isolation: string): string {
  return isolation ? `In a virtual machine on this computer: ${isolation}.` : "Works in a virtual machine on this computer."
}
