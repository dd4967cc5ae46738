// What was said and done, block by block.
import { useEffect, useState } from "preact/hooks"
import { post } from "./api"
import { Chip } from "./Chip"
import type { Finding, Kept, Made, Wanted } from "./contract.gen"
import { sentence, summary, type Block, type Work } from "./fold"
import { Alert, Check, ChevronRight, CircleCheck, Cross, Fork, Hand, ListChecks, Loader, Undo } from "./icons"
import type { Form as FormOf } from "./Form"
import { Markdown } from "./markdown"
import { Plan } from "./Plan"
import { placed } from "./places"
import { fail, go } from "./store"
import { undo } from "./undo"
import { clock, count, label, name, stop, took } from "./words"

type Props = { block: Block; thread: string; last: boolean; busy: boolean }

export function BlockView({ block, thread, last, busy }: Props) {
  switch (block.type) {
    case "said":
      return (
        <div class="me">
          <p>{block.text}</p>
        </div>
      )
    case "answer":
      return (
        <div class="answer">
          {block.label && <span class="tag m">{block.label}</span>}
          <Markdown text={block.text} cites={block.cites} thread={thread} />
          {!busy && <ForkHere thread={thread} seq={block.seq} />}
        </div>
      )
    case "plan":
      return <Plan seq={block.seq} />
    case "form":
      return <FormLater thread={thread} form={block.form} open={block.open} />
    case "work":
      return <WorkView items={block.items} thread={thread} time={took(block.from, block.to)} busy={busy && last} />
    case "ask":
      return <Ask block={block} thread={thread} busy={busy} />
    case "question":
      return <Question block={block} thread={thread} />
    case "checked":
      return <Checked thread={thread} passed={block.passed} rules={block.rules} findings={block.findings} />
    case "staged":
      return (
        <div class="card">
          <ListChecks />
          <p>
            <b>{block.count ? `${count(block.count, "change")} to review` : "Results"}</b>
            {block.files.length > 0 && <span class="ink2"> {block.files.map((file) => file.title || name(file.path)).join(", ")}</span>}
            {Object.entries(block.refused).map(([path, why]) => (
              <span class="bad s13 line" key={path}>
                Not taken: {path}: {why}
              </span>
            ))}
          </p>
          {last && (
            <a class="btn" href={`#/t/${thread}/changes`}>
              Review
            </a>
          )}
        </div>
      )
    case "kept":
      return <KeptFiles files={block.files} thread={thread} />
    case "applied":
      return <Applied block={block} thread={thread} busy={busy} />
    case "ended":
      return (
        <div class="card attn">
          <Hand />
          <p>
            <b>{sentence(block.reason.replaceAll("_", " "))}.</b> {block.text}
          </p>
        </div>
      )
    case "noted":
      return <p class={`note${block.attention ? " at" : ""}`}>{block.text}</p>
  }
}

function KeptFiles({ files, thread }: { files: Kept[]; thread: string }) {
  const place = (file: Kept) => `/api/threads/${thread}/kept?sha256=${file.sha256}`
  return (
    <div class="card">
      <p>
        <b>{count(files.length, "file")} from a connector</b>
        {files.map((file) => (
          <a class="line" key={file.sha256} href={place(file)} download={file.name}>
            {file.media && <img src={`${place(file)}&look`} alt={file.name} class="kept" />}
            <span class="s13">
              {file.name}, {file.size.toLocaleString()} bytes
            </span>
          </a>
        ))}
      </p>
    </div>
  )
}

function ForkHere({ thread, seq }: { thread: string; seq: number }) {
  const fork = async () => {
    try {
      const made = await post<Made>(`/api/threads/${thread}/forks`, { seq })
      go(`/t/${made.thread}`)
    } catch (error) {
      fail(error)
    }
  }
  return (
    <button class="sm ghost fork" onClick={fork}>
      <Fork size={14} /> Fork from here
    </button>
  )
}

function WorkView({ items, thread, time, busy }: { items: Work[]; thread: string; time: string; busy: boolean }) {
  const failed = items.filter((item) => item.state === "failed").length
  const running = busy && items.some((item) => item.state === "running" || item.state === "waiting")
  const current = items.find((item) => item.state === "running")
  return (
    <details class="act">
      <summary>
        {running ? <Loader class="spin" size={15} /> : <CircleCheck size={15} />}
        <span class="t">{running && current ? sentence(current.sentence) : summary(items)}</span>
        <span class="r mut s12">
          {failed > 0 && <span class="bad">{count(failed, "step")} failed </span>}
          {time}
        </span>
        <ChevronRight class="turn" size={14} />
      </summary>
      {items.map((item) => (
        <details key={item.id} class="step">
          <summary>
            {item.state === "failed" ? <Cross size={14} class="bad" /> : item.state === "ok" ? <Check size={14} /> : <Loader size={14} />}
            <span class="t">{sentence(item.sentence)}</span>
            {item.state === "failed" && <span class="bad s12">failed</span>}
          </summary>
          <dl>
            {Object.entries(item.arguments).map(([key, value]) => (
              <div key={key}>
                <dt>{key}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          {item.pictures.map((one, at) => (
            <img key={one.sha256} class="kept looked" loading="lazy" src={`/api/threads/${thread}/kept?sha256=${one.sha256}&look`} alt={`Picture ${at + 1} of ${item.pictures.length} that the model looked at: ${item.sentence}`} />
          ))}
          {item.text && <pre tabIndex={0}>{item.text + (item.cut ? "\n… more in the record" : "")}</pre>}
        </details>
      ))}
    </details>
  )
}

function Ask({ block, thread, busy }: { block: Extract<Block, { type: "ask" }>; thread: string; busy: boolean }) {
  const [sent, setSent] = useState(false)
  const { asked, allow, by } = block
  if (allow !== null) {
    return (
      <p class="note">
        {allow ? "Allowed" : "Not allowed"} by {by === "user" ? "you" : `the ${by}`}: {asked.title}
      </p>
    )
  }
  const over = asked.expires !== "" && Date.parse(asked.expires) < Date.now()
  const decide = async (yes: boolean) => {
    setSent(true)
    try {
      await post<Made>(`/api/threads/${thread}/decisions`, { use: asked.use, arguments: asked.arguments, allow: yes })
    } catch (error) {
      fail(error)
    }
    setSent(false)
  }
  return (
    <section class="ask" aria-labelledby={`ask-${block.seq}`}>
      <h2 id={`ask-${block.seq}`} tabIndex={-1}>
        <Hand /> May this be done: {asked.title}?
      </h2>
      <p>{asked.sends ? "This leaves your computer. It cannot be taken back." : "This one call, with exactly this:"}</p>
      <dl>
        {Object.entries(asked.shown).map(([key, value]) => (
          <div key={key}>
            <dt>{label(key)}</dt>
            <dd tabIndex={stop(value)}>{value}</dd>
          </div>
        ))}
        <div>
          <dt>Why</dt>
          <dd tabIndex={stop(asked.why)}>{asked.why}</dd>
        </div>
      </dl>
      {over && <p class="s13">This question waited too long; an answer now counts as no.</p>}
      <div class="b">
        <button class="pri" disabled={sent} onClick={() => decide(true)}>
          Allow once
        </button>
        <button disabled={sent} class="ghost" onClick={() => decide(false)}>
          Don't allow
        </button>
        {!busy && <span class="s12">The run waits; it goes on with your answer.</span>}
      </div>
    </section>
  )
}

function Question({ block, thread }: { block: Extract<Block, { type: "question" }>; thread: string }) {
  const [sent, setSent] = useState(false)
  const answer = async (text: string) => {
    setSent(true)
    await post<Made>(`/api/threads/${thread}/messages`, { text }).catch(fail)
    setSent(false)
  }
  return (
    <section class={block.open ? "ask" : "card"} aria-label="Question">
      <h2>{block.question}</h2>
      {block.open && (
        <div class="b wrap">
          {block.choices.map((choice) => (
            <button key={choice} disabled={sent} onClick={() => answer(choice)}>
              {choice}
            </button>
          ))}
          <span class="s13">{block.choices.length ? "Or answer below in your own words." : "Answer below."}</span>
        </div>
      )}
    </section>
  )
}

// a server's form is rare: its part of the page comes when one is asked
function FormLater({ thread, form, open }: { thread: string; form: Wanted; open: boolean }) {
  const [Form, setForm] = useState<typeof FormOf | null>(null)
  useEffect(() => {
    if (open) import("./Form").then((views) => setForm(() => views.Form)).catch(() => location.reload())
  }, [open])
  return (
    <section class={open ? "ask" : "card"} aria-label={`Question of ${form.connector}`}>
      <h2>
        {form.connector} asks: {form.message}
      </h2>
      {open && Form && <Form thread={thread} form={form} />}
    </section>
  )
}

const ORDER: Finding["level"][] = ["error", "warning", "note"]

function Checked({ thread, passed, rules, findings }: { thread: string; passed: boolean; rules: number; findings: Finding[] }) {
  const sorted = ORDER.flatMap((level) => findings.filter((finding) => finding.level === level))
  return (
    <details class={`act checked${passed ? "" : " bad"}`} open={!passed}>
      <summary>
        {passed ? <CircleCheck size={15} class="ok" /> : <Alert size={15} class="bad" />}
        <span class="t">
          {passed ? "Checked in a clean room, passed" : "The output checks refused this result"}
        </span>
        <span class="r mut s12">
          {count(rules, "rule")}
          {findings.length > 0 && `, ${count(findings.length, "finding")}`}
        </span>
        <ChevronRight class="turn" size={14} />
      </summary>
      {sorted.length === 0 && <p class="s13 mut finding">Nothing was found.</p>}
      {sorted.map((finding, at) => (
        <div class="finding" key={at}>
          <span class={`tag ${finding.level === "error" ? "d" : finding.level === "warning" ? "w" : "m"}`}>{finding.level}</span>
          <div>
            {finding.message}
            <div class="mut s12">
              {finding.rule}{" "}
              {finding.path && (
                <Chip thread={thread} at={{ path: finding.path, source: "", where: placed(finding.location), quote: "" }}>
                  {name(finding.path)}
                  {finding.location && `, ${finding.location}`}
                </Chip>
              )}
              {!finding.path && finding.location && `· ${finding.location}`}
            </div>
            {finding.fix && <div class="s13 ink2">{finding.fix}</div>}
          </div>
        </div>
      ))}
    </details>
  )
}

function Applied({ block, thread, busy }: { block: Extract<Block, { type: "applied" }>; thread: string; busy: boolean }) {
  if (!block.applied) {
    return (
      <div class="card bad">
        <Alert />
        <p>
          <b>Nothing was written.</b> {block.text}
        </p>
      </div>
    )
  }
  return (
    <div class="card">
      <CircleCheck class="ok" />
      <p>
        <b>
          {block.undo ? "Undone" : "Applied"} at {clock(block.time)}.
        </b>{" "}
        <span class="ink2">
          {block.undo ? "Your files are what they were." : "Earlier versions are kept."}
          {block.left ? ` ${count(block.left, "change")} left out, still to review.` : ""}
        </span>
      </p>
      {!busy && (
        <button onClick={() => undo(thread, block.plan)}>
          <Undo size={14} /> {block.undo ? "Redo" : "Undo"}
        </button>
      )}
    </div>
  )
}
