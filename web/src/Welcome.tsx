// The first steps of somebody who never was here: this computer, a model, and a task to try them with.
import { useEffect, useState } from "preact/hooks"
import type { ComponentChildren } from "preact"
import { get, post, remove } from "./api"
import type { CheckRow, Chosen, Made, Sample, Tried } from "./contract.gen"
import { useHealth } from "./cure"
import { CircleCheck, Circle, Cross, FileText, Loader } from "./icons"
import { desk, fail, go, keep, reloadDesk, rows, WELCOMED } from "./store"
import "./views.css"

// what a check that does not pass means to somebody who never heard its name
const PLAIN: Record<string, string> = {
  machine: "This kind of computer cannot run Deskmate's virtual machine.",
  QEMU: "The program that runs virtual machines, QEMU, is not here.",
  image: "The virtual machine has to be built once. That takes some minutes and needs the internet.",
  "tools for building": "Some programs that build the virtual machine are not here.",
  disk: "There is too little room on the disk.",
  memory: "There is too little free memory.",
  folders: "The folders that Deskmate keeps its things in are not safe yet.",
  "virtual machine": "The virtual machine does not start.",
  threads: "Your threads cannot be kept where they would be.",
}

export function View() {
  const health = useHealth()
  const [chosen, setChosen] = useState<Chosen | null>(null)
  useEffect(() => void get<Chosen>("/api/model").then(setChosen).catch(fail), [])
  const sick = health.found?.checks.filter((check) => check.state === "fail") ?? []
  const ready = health.found !== null && sick.length === 0
  const leave = () => keep(WELCOMED, "1")
  return (
    <div class="form welcome">
      <h1>Welcome to Deskmate</h1>
      <p class="ink2">It works on copies of your files, in a virtual machine on this computer, and shows you every change before it is written. Three steps, and you see it work.</p>
      {!health.found || !chosen ? (
        <div class="late" aria-hidden="true">
          <div class="bone" />
          <div class="bone" />
          <div class="bone" />
        </div>
      ) : (
        <ol class="firsts">
          <Step title="This computer" state={ready ? "done" : "todo"} fact={ready ? "Ready" : "Something is missing"} lacks>
            {ready && <p>All that the virtual machine needs is here.</p>}
            {sick.map((check) => (
              <Lacks key={check.name} check={check} busy={health.busy} line={health.line} cure={health.cure} />
            ))}
            <p class="s13">
              <a href="#/health">Everything that was looked at</a>
            </p>
          </Step>
          <Model chosen={chosen} set={setChosen} />
          <Try ready={ready} model={chosen.name} leave={leave} />
        </ol>
      )}
      <p>
        <a href="#/new" onClick={leave}>
          {rows.value.length ? "Begin with your own files" : "Skip this, and begin with your own files"}
        </a>
      </p>
    </div>
  )
}

function Step({ title, state, fact, lacks = false, children }: { title: string; state: "done" | "todo"; fact: string; lacks?: boolean; children: ComponentChildren }) {
  return (
    <li>
      <section class="first" aria-label={title}>
        <header>
          {state === "done" ? <CircleCheck class="ok" /> : <Circle class="mut" />}
          <h2>{title}</h2>
          <span class={`state ${state === "done" ? "good" : lacks ? "warn" : "info"}`}>{fact}</span>
        </header>
        <div class="in">{children}</div>
      </section>
    </li>
  )
}

function Lacks({ check, busy, line, cure }: { check: CheckRow; busy: string; line: string; cure: (check: CheckRow) => void }) {
  const at = busy === check.name
  return (
    <div class="lack">
      <Cross class="bad" />
      <div class="t">
        <b>{PLAIN[check.name] ?? `${check.name}: ${check.cause}`}</b>
        {check.name in PLAIN && <span class="line s13 ink2">{check.cause}</span>}
        {!check.curable && check.cure && <span class="line s13 ink2">What to do: {check.cure}</span>}
        {at && (
          <span class="line s13 ink2" role="status">
            <Loader class="spin" size={14} /> {line || "At it…"} You can leave this page meanwhile.
          </span>
        )}
      </div>
      {check.curable && (
        <button disabled={busy !== ""} onClick={() => cure(check)}>
          {at ? "At it…" : check.name === "image" ? "Build it now" : "Put it right"}
          <span class="unseen">: {check.name}</span>
        </button>
      )}
    </div>
  )
}

type Way = "key" | "local" | "offline"
const WAYS: [Way, string, string][] = [
  ["key", "Claude, with a key of mine", "The best results. What a run reads of your files goes to Anthropic, who charge for it."],
  ["local", "A model on a server of mine", "llama.cpp, Ollama, LM Studio, vLLM: any that speaks the Messages API. Free on this computer."],
  ["offline", "No language model, for now", "Rules only: follows the procedures of plugins. Nothing leaves this computer, and nothing is charged."],
]

function wayOf(name: string): Way {
  if (name === "offline") return "offline"
  return name === "local" || name.startsWith("local:") ? "local" : "key"
}

function Model({ chosen, set }: { chosen: Chosen; set: (now: Chosen) => void }) {
  const [way, setWay] = useState<Way>(wayOf(chosen.name))
  const [key, setKey] = useState("")
  const [url, setUrl] = useState(chosen.url || "http://127.0.0.1:8080")
  const [name, setName] = useState(chosen.name.startsWith("local:") ? chosen.name.slice(6) : "")
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState("")
  const work = async (steps: () => Promise<string>) => {
    setBusy(true)
    setSaid("")
    try {
      setSaid(await steps())
    } catch (error) {
      fail(error)
    }
    await get<Chosen>("/api/model").then(set).catch(fail)
    await reloadDesk().catch(fail)
    setBusy(false)
  }
  const tried = async () => {
    const answer = await post<Tried>("/api/model/try")
    return `${answer.model} answers: ${answer.text}`
  }
  const use = () =>
    work(async () => {
      if (way === "offline") {
        await post("/api/model", { name: "offline" })
        return "From now on by rules only. You can change that here at any time."
      }
      if (way === "local") {
        await post("/api/model", { name: name.trim() ? `local:${name.trim()}` : "local", url: url.trim() })
        return tried()
      }
      if (key.trim()) await post("/api/model/key", { value: key.trim() })
      setKey("")
      await post("/api/model", { name: wayOf(chosen.name) === "key" ? chosen.name : "sonnet" })
      return tried()
    })
  const forget = () =>
    work(async () => {
      await remove("/api/model/key")
      if (wayOf(chosen.name) === "key") await post("/api/model", { name: "offline" })
      return "The key is forgotten."
    })
  const lacks = way === "key" && !chosen.key && !key.trim()
  const usable = desk.value?.models.find((one) => one.name === chosen.name)?.lacks === ""
  return (
    <Step title="A model" state={usable ? "done" : "todo"} fact={usable ? `Uses ${chosen.name}` : `${chosen.name} needs a key`} lacks>
      {chosen.fixed && <p>It is chosen by {chosen.fixed}; change it there.</p>}
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (!busy && !lacks && !chosen.fixed) void use()
        }}
      >
        <div role="radiogroup" aria-label="Which model" class="ways">
          {WAYS.map(([one, title, about]) => (
            <label key={one} class={`way${way === one ? " on" : ""}`}>
              <input type="radio" name="way" checked={way === one} onChange={() => setWay(one)} />
              <span class="t">
                <b>{title}</b>
                <span class="line s13 ink2">{about}</span>
              </span>
            </label>
          ))}
        </div>
        {way === "key" && (
          <>
            <label for="api-key">API key</label>
            <input id="api-key" type="password" autocomplete="off" spellcheck={false} value={key} placeholder={chosen.key ? "One is there; leave this empty to use it" : "sk-ant-…"} onInput={(event) => setKey(event.currentTarget.value)} />
            <p class="mut s13">
              {chosen.key === "environment" ? "The one of the environment is used, whatever is kept here." : `Kept in ${chosen.place}. It never enters the virtual machine or a log.`}{" "}
              {chosen.key === "kept" && (
                <button type="button" class="sm" disabled={busy} onClick={forget}>
                  Forget the key
                </button>
              )}
            </p>
          </>
        )}
        {way === "local" && (
          <div class="two">
            <div>
              <label for="server">Its address</label>
              <input id="server" value={url} onInput={(event) => setUrl(event.currentTarget.value)} />
            </div>
            <div>
              <label for="served">Name of the model, if it has several</label>
              <input id="served" value={name} onInput={(event) => setName(event.currentTarget.value)} />
            </div>
          </div>
        )}
        <div class="b">
          <button disabled={busy || lacks || chosen.fixed !== ""}>{busy ? "One moment…" : way === "offline" ? "Use rules only" : "Use and try it"}</button>
          <span class="s13" role="status">
            {said}
          </span>
        </div>
      </form>
    </Step>
  )
}

function Try({ ready, model, leave }: { ready: boolean; model: string; leave: () => void }) {
  const [busy, setBusy] = useState(false)
  const plugin = desk.value?.plugins.find((one) => one.name === desk.value?.sample && !one.problem)
  const usable = desk.value?.models.find((one) => one.name === model)?.lacks === ""
  const begin = async () => {
    setBusy(true)
    try {
      const sample = await post<Sample>("/api/sample")
      const made = await post<Made>("/api/threads", {
        text: sample.text,
        folders: [{ folder: sample.folder, mode: "rw" }],
        plugins: [sample.plugin],
      })
      leave()
      go(`/t/${made.thread}`)
    } catch (error) {
      fail(error)
      setBusy(false)
    }
  }
  const why = !plugin ? "No plugin is installed that reviews contracts; the task is done with one." : !ready ? "First this computer must be ready." : !usable ? "First choose a model that can be used." : ""
  return (
    <Step title="A task to try" state={rows.value.length ? "done" : "todo"} fact={rows.value.length ? "Tried" : model === "offline" ? "Needs no key" : "Some minutes"}>
      <p>
        Review an agreement against a playbook: what deviates is redlined, and a memo says why. All of it is made up; the
        folder <b>Deskmate sample</b> is made in your home folder for it.
      </p>
      <p class="s13 ink2">
        <FileText size={14} /> Northlight - Harbour mutual NDA.docx &nbsp; <FileText size={14} /> playbook.yaml
      </p>
      <div class="b">
        <button class="pri" disabled={busy || why !== ""} aria-describedby="why-no-sample" onClick={begin}>
          {busy ? "One moment…" : "Make the folder and start"}
        </button>
        <span id="why-no-sample" class="mut s13">
          {why || "You review its changes before they are written, and can undo them."}
        </span>
      </div>
    </Step>
  )
}
