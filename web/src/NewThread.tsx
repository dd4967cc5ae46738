// What should be finished, with which files, by which profession, and what it may cost.
import { useEffect, useRef, useState } from "preact/hooks"
import { get, post } from "./api"
import { AttachButton, AttachedFiles, useAttachments } from "./Attach"
import type { Made, Plugin, ProjectRow, Projects } from "./contract.gen"
import { FolderPicker } from "./FolderPicker"
import { Cross, Folder, Plus } from "./icons"
import { desk, draft, dropDraft, fail, go, keepDraft, reloadDesk } from "./store"
import { name } from "./words"

type Mode = "rw" | "ro" | "rw-no-delete"
const MODES: Record<Mode, string> = { rw: "Read and change", "rw-no-delete": "Change, never delete", ro: "Read only" }

export function View() {
  const [text, setText] = useState(draft("new"))
  const [folders, setFolders] = useState<{ folder: string; mode: Mode }[]>([])
  const [plugins, setPlugins] = useState<string[]>([])
  const [model, setModel] = useState("")
  const [applies, setApplies] = useState("review")
  const [budget, setBudget] = useState("")
  const [projects, setProjects] = useState<readonly ProjectRow[]>([])
  const [project, setProject] = useState("")
  const [picking, setPicking] = useState(false)
  const [busy, setBusy] = useState(false)
  const files = useAttachments()
  const field = useRef<HTMLTextAreaElement>(null)
  useEffect(() => {
    field.current?.focus()
    get<Projects>("/api/projects").then((all) => setProjects(all.rows), fail)
  }, [])
  const here = desk.value
  const usd = Number(budget)
  const wrongBudget = budget !== "" && !(usd > 0)
  const chosen = here?.models.find((one) => one.name === (model || here.model))
  const waiting = here?.plugins.filter((plugin) => plugins.includes(plugin.name) && plugin.wants.length) ?? []
  const ready = text.trim() !== "" && !busy && !wrongBudget && waiting.length === 0 && !chosen?.lacks && files.ready
  const send = async () => {
    if (!ready) return
    setBusy(true)
    try {
      const made = await post<Made>("/api/threads", {
        text: text.trim(),
        folders,
        plugins,
        model: model || undefined,
        apply: applies,
        budget_usd: budget ? usd : null,
        project,
        attachments: files.ids,
      })
      dropDraft("new")
      go(`/t/${made.thread}`)
    } catch (error) {
      fail(error)
      setBusy(false)
    }
  }
  return (
    <>
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault()
        void send()
      }}
    >
      <h1>What should be finished?</h1>
      <p class="ink2">Describe the result. You see every change before it is written.</p>
      <label for="request">Your request</label>
      <textarea
        id="request"
        ref={field}
        rows={5}
        placeholder="Review this NDA against our playbook. Redline what deviates and write a one-page memo."
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value)
          keepDraft("new", event.currentTarget.value)
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void send()
        }}
      />
      <div class="b" onDragOver={(event) => event.preventDefault()}>
        <AttachButton to={files} />
        <span class="mut s13">Attach single files, or give whole folders below.</span>
      </div>
      <AttachedFiles of={files} />
      {projects.length > 0 && (
        <>
          <label for="project">Project</label>
          <select id="project" value={project} onChange={(event) => setProject(event.currentTarget.value)}>
            <option value="">None</option>
            {projects.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </select>
        </>
      )}
      <fieldset>
        <legend>Folders</legend>
        <p class="mut s13">Deskmate works on copies. Nothing is written into a folder before you apply it.</p>
        {folders.map((one) => (
          <div class="granted" key={one.folder}>
            <Folder />
            <div class="t">
              <b>{name(one.folder)}</b>
              <div class="mut s12">{one.folder}</div>
            </div>
            <select
              aria-label={`What may be done in ${name(one.folder)}`}
              value={one.mode}
              onChange={(event) => {
                const mode = event.currentTarget.value as Mode
                setFolders(folders.map((other) => (other === one ? { ...one, mode } : other)))
              }}
            >
              {Object.entries(MODES).map(([mode, words]) => (
                <option key={mode} value={mode}>
                  {words}
                </option>
              ))}
            </select>
            <button type="button" class="icon ghost" aria-label={`Remove ${name(one.folder)}`} onClick={() => setFolders(folders.filter((other) => other !== one))}>
              <Cross />
            </button>
          </div>
        ))}
        <button type="button" onClick={() => setPicking(true)}>
          <Plus /> Add a folder
        </button>
      </fieldset>
      <fieldset>
        <legend>Plugins</legend>
        {here?.plugins.map((plugin) => (
          <PluginChoice
            key={plugin.name}
            plugin={plugin}
            on={plugins.includes(plugin.name)}
            toggle={() => setPlugins(plugins.includes(plugin.name) ? plugins.filter((one) => one !== plugin.name) : [...plugins, plugin.name])}
          />
        ))}
        {here?.plugins.length === 0 && <p class="mut s13">No plugins are installed.</p>}
      </fieldset>
      <div class="three">
        <div>
          <label for="model">Model</label>
          <select id="model" value={model || here?.model} onChange={(event) => setModel(event.currentTarget.value)}>
            {here?.models.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
                {one.lacks ? ` (${one.lacks})` : ""}
              </option>
            ))}
          </select>
          <p class="mut s12">{chosen?.lacks ? `Cannot be used: it ${chosen.lacks}.` : chosen?.title}</p>
        </div>
        <div>
          <label for="applies">Write without a review</label>
          <select id="applies" value={applies} onChange={(event) => setApplies(event.currentTarget.value)}>
            <option value="review">Nothing</option>
            <option value="new">New files only</option>
            <option value="all">Everything but deletions</option>
          </select>
        </div>
        <div>
          <label for="budget">Budget in US dollars</label>
          <input id="budget" inputMode="decimal" placeholder="No limit" value={budget} aria-invalid={wrongBudget} onInput={(event) => setBudget(event.currentTarget.value)} />
          {wrongBudget && <p class="bad s12">Write a number above 0, such as 2.50</p>}
        </div>
      </div>
      <div class="b">
        <button class="pri" disabled={!ready} aria-describedby="why-not">
          Start
        </button>
        <span id="why-not" class="mut s13">
          {text.trim() === "" ? "Say first what you want." : waiting.length ? "Agree first to what a plugin wants." : "Ctrl Enter starts, too."}
        </span>
      </div>
    </form>
    {picking && here && (
      <FolderPicker
        start={folders[0]?.folder ?? here.home}
        close={() => setPicking(false)}
        pick={(folder) => {
          setPicking(false)
          if (!folders.some((one) => one.folder === folder)) setFolders([...folders, { folder, mode: "rw" }])
        }}
      />
    )}
    </>
  )
}

function PluginChoice({ plugin, on, toggle }: { plugin: Plugin; on: boolean; toggle: () => void }) {
  if (plugin.problem) {
    return (
      <p class="mut s13">
        {plugin.title} cannot be used: {plugin.problem}
      </p>
    )
  }
  const agree = () => {
    post(`/api/plugins/${encodeURIComponent(plugin.name)}/agree`, { version: plugin.version }).then(reloadDesk).catch(fail)
  }
  return (
    <div class={`plugin${on ? " on" : ""}`}>
      <label class="check">
        <input type="checkbox" checked={on} onChange={toggle} />
        <span>
          <b>{plugin.title}</b> <span class="mut s12">{plugin.version}</span>
          <span class="s13 ink2">{plugin.summary}</span>
        </span>
      </label>
      {on && plugin.wants.length > 0 && (
        <div class="ask">
          <h2>{plugin.title} wants more than to work in the virtual machine</h2>
          <ul>
            {plugin.wants.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
          <button type="button" onClick={agree}>
            I agree
          </button>
        </div>
      )}
      {on && (
        <details>
          <summary>What it brings and may do</summary>
          <ul class="s13">
            {plugin.permissions.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </details>
      )}
    </div>
  )
}
