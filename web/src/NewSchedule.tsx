// Work that is to be done again by itself: what, when, with which folders, what it may cost and must deliver.
import { useEffect, useState } from "preact/hooks"
import { get, post } from "./api"
import type { ConnectorRow, Connectors, ScheduleWhole } from "./contract.gen"
import { FolderPicker } from "./FolderPicker"
import { ArrowLeft, Cross, Folder, Plus } from "./icons"
import { again, desk, fail, go, tell, type Open } from "./store"
import { name as last } from "./words"

type Mode = "rw" | "ro" | "rw-no-delete"
type Often = "day" | "weekday" | "week" | "month" | "once" | "change"
const OFTEN: [Often, string][] = [
  ["day", "Every day"],
  ["weekday", "Monday to Friday"],
  ["week", "Every week"],
  ["month", "Every month"],
  ["once", "Once"],
  ["change", "When files in a folder change"],
]
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone

function asked(from: Open | null): string {
  const said = from?.story.blocks.find((block) => block.type === "said")
  return said?.type === "said" ? said.text : ""
}

// five fields of cron, out of what was chosen
export function cron(often: Often, time: string, day: number): string {
  const [hour, minute] = time.split(":").map(Number)
  const days = { day: "* * *", weekday: "* * mon-fri", week: `* * ${DAYS[day]!.slice(0, 3).toLowerCase()}`, month: `${day + 1} * *` }
  return often === "once" || often === "change" ? "" : `${minute} ${hour} ${days[often]}`
}

export function NewSchedule() {
  const [from] = useState(again.value)
  // whoever comes another time means a new one
  useEffect(() => {
    again.value = null
  }, [])
  const here = desk.value
  const [text, setText] = useState(asked(from))
  const [name, setName] = useState(from?.thread.row.title.slice(0, 80) ?? "")
  const [often, setOften] = useState<Often>("week")
  const [time, setTime] = useState("07:00")
  const [day, setDay] = useState(0)
  const [date, setDate] = useState("")
  const [zone, setZone] = useState(HERE)
  const [watched, setWatched] = useState(from?.thread.folders[0]?.folder ?? "")
  const [pattern, setPattern] = useState("")
  const [folders, setFolders] = useState<{ folder: string; mode: Mode }[]>(from?.thread.folders.map(({ folder, mode }) => ({ folder, mode })) ?? [])
  const [plugins, setPlugins] = useState<string[]>(Object.keys(from?.thread.plugins ?? {}))
  const [model, setModel] = useState(here?.models.find((one) => one.name === from?.thread.model)?.name ?? here?.model ?? "offline")
  const [budget, setBudget] = useState("")
  const [minutes, setMinutes] = useState("60")
  const [delivers, setDelivers] = useState("")
  const [applies, setApplies] = useState("review")
  const [allowed, setAllowed] = useState("")
  const [connectors, setConnectors] = useState<readonly ConnectorRow[]>([])
  const [given, setGiven] = useState<string[]>([])
  const [hosts, setHosts] = useState(from?.thread.hosts.join("\n") ?? "")
  useEffect(() => void get<Connectors>("/api/connectors").then((all) => setConnectors(all.rows)).catch(fail), [])
  const [picking, setPicking] = useState<"" | "grant" | "watch">("")
  const [busy, setBusy] = useState(false)
  const free = /^(offline|local)/.test(model)
  const lacks =
    (!text.trim() && "Say what is to be done each time.") ||
    (!name.trim() && "Give it a name.") ||
    (often === "once" && !date && "Choose the day.") ||
    (often === "change" && !watched && "Choose the folder.") ||
    (!free && !(Number(budget) > 0) && "Say what one run may cost.") ||
    ((!(Number(minutes) >= 1) || Number(minutes) > 1440) && "A run takes 1 to 1440 minutes.") ||
    ""
  const save = async () => {
    if (lacks || busy) return
    setBusy(true)
    try {
      const patterns = delivers.split(",").map((one) => one.trim()).filter(Boolean)
      const when = often === "once" ? { once: `${date} ${time}` } : often === "change" ? { folder: watched, pattern: pattern.trim() } : { cron: cron(often, time, day) }
      const made = await post<ScheduleWhole>("/api/schedules", {
        name: name.trim(),
        text: text.trim(),
        zone,
        ...when,
        folders,
        plugins,
        connectors: given,
        hosts: hosts.split("\n").map((one) => one.trim()).filter(Boolean),
        model,
        budget_usd: budget ? Number(budget) : null,
        seconds: Number(minutes) * 60,
        apply: applies,
        expects: patterns,
        expects_answer: patterns.length === 0,
        allowed: allowed.split("\n").filter((one) => one.trim()),
      })
      go(`/schedules/${encodeURIComponent(made.row.id)}`)
      tell("Kept as a draft. Try it now; then it may run by itself.")
    } catch (error) {
      fail(error)
      setBusy(false)
    }
  }
  return (
    <>
      <header class="top">
        <a class="btn icon ghost" href="#/schedules" aria-label="All schedules">
          <ArrowLeft />
        </a>
        <h1>{from ? "Do this again" : "New schedule"}</h1>
      </header>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        <label for="s-text">What is to be done each time</label>
        <textarea id="s-text" rows={4} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <label for="s-name">Its name</label>
        <input id="s-name" maxLength={80} placeholder="Monday metrics" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        <fieldset>
          <legend>When</legend>
          <div class="three">
            <div>
              <label for="s-often">How often</label>
              <select id="s-often" value={often} onChange={(event) => { setOften(event.currentTarget.value as Often); setDay(0) }}>
                {OFTEN.map(([one, words]) => (
                  <option key={one} value={one}>
                    {words}
                  </option>
                ))}
              </select>
            </div>
            {(often === "week" || often === "month") && (
              <div>
                <label for="s-day">On</label>
                <select id="s-day" value={day} onChange={(event) => setDay(Number(event.currentTarget.value))}>
                  {(often === "week" ? DAYS : Array.from({ length: 28 }, (_, at) => `day ${at + 1}`)).map((words, at) => (
                    <option key={words} value={at}>
                      {words}
                    </option>
                  ))}
                </select>
              </div>
            )}
            {often === "once" && (
              <div>
                <label for="s-date">On</label>
                <input id="s-date" type="date" value={date} onInput={(event) => setDate(event.currentTarget.value)} />
              </div>
            )}
            {often !== "change" && (
              <div>
                <label for="s-time">At</label>
                <input id="s-time" type="time" required value={time} onInput={(event) => setTime(event.currentTarget.value)} />
              </div>
            )}
            {often === "change" && (
              <div>
                <label for="s-pattern">Which files of it (empty: all)</label>
                <input id="s-pattern" placeholder="*.csv" value={pattern} onInput={(event) => setPattern(event.currentTarget.value)} />
              </div>
            )}
          </div>
          {often === "change" ? (
            <button type="button" onClick={() => setPicking("watch")}>
              <Folder /> {watched ? last(watched) : "Choose the folder"}
            </button>
          ) : (
            <>
              <label for="s-zone">Time zone</label>
              <input id="s-zone" list="zones" value={zone} onInput={(event) => setZone(event.currentTarget.value)} />
              <datalist id="zones">
                {Intl.supportedValuesOf("timeZone").map((one) => (
                  <option key={one} value={one} />
                ))}
              </datalist>
            </>
          )}
        </fieldset>
        <fieldset>
          <legend>Folders</legend>
          {folders.map((one) => (
            <div class="granted" key={one.folder}>
              <Folder />
              <div class="t">
                <b>{last(one.folder)}</b>
                <div class="mut s12">{one.folder}</div>
              </div>
              <select
                aria-label={`What may be done in ${last(one.folder)}`}
                value={one.mode}
                onChange={(event) => {
                  const mode = event.currentTarget.value as Mode
                  setFolders(folders.map((other) => (other === one ? { ...one, mode } : other)))
                }}
              >
                <option value="rw">Read and change</option>
                <option value="rw-no-delete">Change, never delete</option>
                <option value="ro">Read only</option>
              </select>
              <button type="button" class="icon ghost" aria-label={`Remove ${last(one.folder)}`} onClick={() => setFolders(folders.filter((other) => other !== one))}>
                <Cross />
              </button>
            </div>
          ))}
          <button type="button" onClick={() => setPicking("grant")}>
            <Plus /> Add a folder
          </button>
        </fieldset>
        <fieldset>
          <legend>Plugins</legend>
          {here?.plugins.filter((one) => !one.problem).map((one) => (
            <label class="check" key={one.name}>
              <input type="checkbox" checked={plugins.includes(one.name)} onChange={() => setPlugins(plugins.includes(one.name) ? plugins.filter((other) => other !== one.name) : [...plugins, one.name])} />
              <span>{one.title}</span>
            </label>
          ))}
        </fieldset>
        <fieldset>
          <legend>What it may reach</legend>
          {connectors.map((one) => (
            <label class="check" key={one.name}>
              <input type="checkbox" checked={given.includes(one.name)} onChange={() => setGiven(given.includes(one.name) ? given.filter((other) => other !== one.name) : [...given, one.name])} />
              <span>
                The connector {one.name} {one.login === "out" && <span class="mut s12">(not logged in)</span>}
              </span>
            </label>
          ))}
          {connectors.length === 0 && (
            <p class="mut s13">
              There are no connectors. <a href="#/connectors/new">Connect one</a>
            </p>
          )}
          <label for="s-hosts">Sites its virtual machine may reach, one a line; empty: none</label>
          <textarea id="s-hosts" rows={2} spellcheck={false} placeholder="api.example.com:GET" value={hosts} onInput={(event) => setHosts(event.currentTarget.value)} />
        </fieldset>
        <div class="three">
          <div>
            <label for="s-model">Model</label>
            <select id="s-model" value={model} onChange={(event) => setModel(event.currentTarget.value)}>
              {here?.models.filter((one) => !one.lacks).map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name}
                </option>
              ))}
            </select>
          </div>
          <div>
            <label for="s-budget">Budget of a run, US dollars</label>
            <input id="s-budget" inputMode="decimal" placeholder={free ? "No limit" : "2.00"} value={budget} onInput={(event) => setBudget(event.currentTarget.value)} />
          </div>
          <div>
            <label for="s-minutes">Minutes a run may take</label>
            <input id="s-minutes" inputMode="numeric" value={minutes} onInput={(event) => setMinutes(event.currentTarget.value)} />
          </div>
        </div>
        <label for="s-delivers">Which files a run must deliver (with commas between)</label>
        <input id="s-delivers" placeholder="report*.md; empty: an answer in words is enough" value={delivers} onInput={(event) => setDelivers(event.currentTarget.value)} />
        <label for="s-applies">Write without a review</label>
        <select id="s-applies" value={applies} onChange={(event) => setApplies(event.currentTarget.value)}>
          <option value="review">Nothing</option>
          <option value="new">New files only</option>
          <option value="all">Everything but deletions</option>
        </select>
        <details>
          <summary>What may leave this computer unasked</summary>
          <div class="edit">
            <p class="s13 ink2">Nothing, unless you name the tool and its target here, one a line. All else waits for you in the inbox, 24 hours at most; then the answer is no.</p>
            <label for="s-allowed">Tools and targets</label>
            <textarea id="s-allowed" rows={2} placeholder="mail__send to=team@example.com" value={allowed} onInput={(event) => setAllowed(event.currentTarget.value)} />
          </div>
        </details>
        <div class="b">
          <button class="pri" disabled={busy || lacks !== ""} aria-describedby="s-lacks">
            Keep as a draft
          </button>
          <span id="s-lacks" class="mut s13">
            {lacks || "It does not run by itself before you have tried it and said so."}
          </span>
        </div>
      </form>
      {picking && (
        <FolderPicker
          start={folders[0]?.folder ?? here?.home ?? "/"}
          close={() => setPicking("")}
          pick={(folder) => {
            if (picking === "watch") setWatched(folder)
            else if (!folders.some((one) => one.folder === folder)) setFolders([...folders, { folder, mode: "rw" }])
            setPicking("")
          }}
        />
      )}
    </>
  )
}
