// Work that is done by itself: how each schedule stands, what became of every time it was due, and why.
import { useEffect, useState } from "preact/hooks"
import { get, post, remove } from "./api"
import type { ScheduleRow, ScheduleRows, ScheduleWhole, Turn } from "./contract.gen"
import { Alert, ArrowLeft, Calendar, Plus } from "./icons"
import { Pause, Play } from "./icons_more"
import { NewSchedule } from "./NewSchedule"
import { fail, go, route, tell } from "./store"
import "./views.css"
import { inZone, when } from "./words"

const STATES: Record<ScheduleRow["state"], [string, string]> = {
  draft: ["Draft", ""],
  active: ["Runs by itself", "good"],
  paused: ["Paused", "warn"],
  over: ["Over", ""],
}
const TURNS: Record<Turn["state"], [string, string]> = {
  claimed: ["About to run", "info"],
  running: ["Working", "info"],
  waiting: ["Waits for you", "warn"],
  succeeded: ["Succeeded", "good"],
  failed: ["Failed", "bad"],
  skipped: ["Skipped", ""],
}

export function View() {
  const { item } = route.value
  if (item === "new") return <NewSchedule />
  return item ? <One key={item} id={item} /> : <All />
}

function All() {
  const [found, setFound] = useState<ScheduleRows | null>(null)
  useEffect(() => void get<ScheduleRows>("/api/schedules").then(setFound).catch(fail), [])
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/settings" aria-label="Back">
          <ArrowLeft />
        </a>
        <h1>Schedules</h1>
        <div class="tools">
          <a class="btn" href="#/schedules/new">
            <Plus /> New schedule
          </a>
        </div>
      </header>
      <div class="form list">
        {found && !found.served && found.rows.some((row) => row.state === "active") && (
          <div class="card attn">
            <Alert />
            <p>Nothing carries schedules out now. They begin as soon as this page's server or the service does it.</p>
          </div>
        )}
        {found?.rows.length === 0 && (
          <section class="blank">
            <Calendar size={28} />
            <h2>No schedules yet</h2>
            <p>
              A schedule does the same work every Monday, say, or when a folder changes. Make one here, or in the menu of a thread: <i>Do this again</i>.
            </p>
          </section>
        )}
        <ul>
          {found?.rows.map((row) => (
            <li key={row.id}>
              <a class="line-item" href={`#/schedules/${encodeURIComponent(row.id)}`}>
                <span class="head">
                  <b class="t">{row.name}</b>
                  <State of={STATES[row.state]} />
                </span>
                <span class="s13 ink2">{row.when}</span>
                {row.why && <span class="s13">{inZone(row.why)}</span>}
                <span class="s13 mut">
                  {row.next[0] && `Next: ${when(row.next[0])}. `}
                  {row.last ? `Last: ${when(row.last.due)}, ${TURNS[row.last.state][0].toLowerCase()}${row.last.why ? `: ${inZone(row.last.why)}` : ""}.` : "It was not due yet."}
                </span>
              </a>
            </li>
          ))}
        </ul>
      </div>
    </>
  )
}

function State({ of: [words, kind] }: { of: [string, string] }) {
  return <span class={`state ${kind}`}>{words}</span>
}

function One({ id }: { id: string }) {
  const [whole, setWhole] = useState<ScheduleWhole | null>(null)
  const [busy, setBusy] = useState(false)
  const [sure, setSure] = useState(false)
  const path = `/api/schedules/${encodeURIComponent(id)}`
  useEffect(() => void get<ScheduleWhole>(path).then(setWhole).catch(fail), [])
  const goes = whole?.history.some((turn) => turn.state === "claimed" || turn.state === "running") ?? false
  useEffect(() => {
    if (!goes) return
    const timer = setInterval(() => void get<ScheduleWhole>(path).then(setWhole).catch(fail), 2000)
    return () => clearInterval(timer)
  }, [goes])
  const forget = async () => {
    setBusy(true)
    try {
      await remove<ScheduleRows>(path)
      go("/schedules")
    } catch (error) {
      fail(error)
      setBusy(false)
    }
  }
  const change = async (what: "pause" | "resume" | "run" | "try", said: string) => {
    setBusy(true)
    try {
      setWhole(await post<ScheduleWhole>(`${path}/${what}`))
      tell(said)
    } catch (error) {
      fail(error)
    }
    setBusy(false)
  }
  const row = whole?.row
  return (
    <>
      <header class="top">
        <a class="btn icon ghost" href="#/schedules" aria-label="All schedules">
          <ArrowLeft />
        </a>
        <h1>{row?.name ?? "…"}</h1>
        {row && <State of={STATES[row.state]} />}
        <div class="tools">
          {(row?.state === "active" || row?.state === "paused") && (
            <button disabled={busy} onClick={() => change("run", "It runs now; you can leave this page.")}>
              Run now
            </button>
          )}
          {row?.state === "active" && (
            <button disabled={busy} onClick={() => change("pause", "Paused. A run that is at work goes on.")}>
              <Pause size={14} /> Pause
            </button>
          )}
          {row?.state === "paused" && (
            <button disabled={busy} onClick={() => change("resume", "It runs by itself again; what was due meanwhile is skipped.")}>
              <Play size={14} /> Go on
            </button>
          )}
          {row?.state === "draft" && (
            <button class={whole?.may_agree ? "" : "pri"} disabled={busy || goes} onClick={() => change("try", "The dry run is under way; you can leave this page.")}>
              {goes ? "Trying…" : "Try it now"}
            </button>
          )}
          {row?.state === "draft" && whole?.may_agree && (
            <button class="pri" disabled={busy} onClick={() => change("resume", "It runs by itself from now on.")}>
              <Play size={14} /> Let it run by itself
            </button>
          )}
        </div>
      </header>
      {whole && row && (
        <div class="form list">
          {row.why && (
            <div class="card attn">
              <Alert />
              <p>{inZone(row.why)}</p>
            </div>
          )}
          {row.state === "draft" && !whole.may_agree && (
            <p class="card">
              <span>
                It runs by itself only after a dry run that succeeded and your word. A dry run works on copies of your files; nothing is written, and what would leave this computer is refused.
              </span>
            </p>
          )}
          <section aria-label="What it does">
            <h2>What it does</h2>
            <dl class="facts">
              <div>
                <dt>When</dt>
                <dd>{row.when}</dd>
              </div>
              {row.next.length > 0 && (
                <div>
                  <dt>Next</dt>
                  <dd>{row.next.map(when).join("; ")}</dd>
                </div>
              )}
              {Object.entries(whole.facts).map(([name, words]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{words}</dd>
                </div>
              ))}
            </dl>
          </section>
          <section aria-label="What became of it">
            <h2>What became of it</h2>
            {whole.history.length === 0 && <p class="mut">It was not due yet.</p>}
            {whole.history.length > 0 && (
              <ul class="past">
                {whole.history.map((turn) => (
                  <li key={turn.due}>
                    <span>{when(turn.due)}</span>
                    <State of={TURNS[turn.state]} />
                    <span class="ink2">{reason(turn)}</span>
                    <span>{turn.thread && turn.state !== "skipped" && <a href={`#/t/${turn.thread}`}>Open<span class="unseen"> the run of {when(turn.due)}</span></a>}</span>
                  </li>
                ))}
              </ul>
            )}
          </section>
          <section aria-label="Delete">
            {sure ? (
              <div class="b tools-row">
                <span>Its history goes with it; the threads of its runs stay.</span>
                <button class="danger" disabled={busy} onClick={forget}>
                  Delete it for good
                </button>
                <button onClick={() => setSure(false)}>Keep it</button>
              </div>
            ) : (
              <button onClick={() => setSure(true)}>Delete this schedule</button>
            )}
          </section>
        </div>
      )}
    </>
  )
}

const TRIGGERS: Record<Turn["trigger"], string> = {
  time: "",
  late: "caught up late",
  change: "files changed",
  hand: "by hand",
  "dry run": "dry run, nothing written",
}

function reason(turn: Turn): string {
  const many = turn.count > 1 ? `stands for ${turn.count} times up to ${when(turn.until)}` : ""
  const until = turn.state === "waiting" && turn.deadline ? `until ${when(turn.deadline)}, then the answer is no` : ""
  return [TRIGGERS[turn.trigger], turn.note, turn.why, many, until].filter(Boolean).map(inZone).join("; ")
}
