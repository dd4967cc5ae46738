// Projects: folders, plugins and instructions that several threads share.
import { useEffect, useState } from "preact/hooks"
import { get, patch, post, remove } from "./api"
import type { Granted, Made, ProjectRow, Projects } from "./contract.gen"
import { Dialog } from "./Dialog"
import { FolderPicker } from "./FolderPicker"
import { ArrowLeft, Cross, Folder, Plus, Project } from "./icons"
import { desk, fail, loadProjects, rows, tell } from "./store"
import "./views.css"
import { count, name } from "./words"

const MODES: Record<Granted["mode"], string> = { rw: "Read and change", "rw-no-delete": "Change, never delete", ro: "Read only" }
const EMPTY: ProjectRow = { id: "", name: "", instructions: "", folders: [], plugins: [] }

export function View() {
  const [found, setFound] = useState<readonly ProjectRow[] | null>(null)
  const [edited, setEdited] = useState<ProjectRow | null>(null)
  useEffect(() => void get<Projects>("/api/projects").then((all) => setFound(all.rows)).catch(fail), [])
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/settings" aria-label="Back">
          <ArrowLeft />
        </a>
        <h1>Projects</h1>
        <div class="tools">
          <button class="sm" onClick={() => setEdited(EMPTY)}>
            <Plus size={14} /> New project
          </button>
        </div>
      </header>
      <div class="form list">
        {found?.length === 0 && (
          <section class="blank">
            <Project size={28} />
            <h2>No projects yet</h2>
            <p>What several threads share goes into a project: folders, plugins, and what holds in each of them.</p>
          </section>
        )}
        {found?.map((row) => (
          <One key={row.id} row={row} edit={() => setEdited(row)} />
        ))}
      </div>
      {edited && <Edit row={edited} close={() => setEdited(null)} saved={setFound} />}
    </>
  )
}

function One({ row, edit }: { row: ProjectRow; edit: () => void }) {
  const threads = rows.value.filter((one) => one.project === row.id)
  return (
    <section class="line-item" aria-labelledby={`p-${row.id}`}>
      <div class="head">
        <h2 class="t" id={`p-${row.id}`}>
          {row.name}
        </h2>
        <button class="sm" onClick={edit}>
          Change<span class="unseen"> {row.name}</span>
        </button>
      </div>
      {row.instructions && <p class="s13 ink2">{row.instructions.length > 300 ? `${row.instructions.slice(0, 300)}…` : row.instructions}</p>}
      <p class="s13 mut">
        {row.folders.length ? `Folders: ${row.folders.map((one) => one.folder).join(", ")}. ` : "No folders. "}
        {row.plugins.length ? `Plugins: ${row.plugins.join(", ")}.` : "No plugins."}
      </p>
      {threads.length === 0 && <p class="s13 mut">No thread is in it yet. Choose it for a new thread, or in a thread's menu.</p>}
      <ul class="threads">
        {threads.map((one) => (
          <li key={one.id}>
            <a class="row" href={`#/t/${one.id}`}>
              <span class={`dot${one.group === "needs you" ? " attn" : " off"}`} />
              <span class="t">{one.title}</span>
              <span class="sub">{one.fact}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Edit({ row, close, saved }: { row: ProjectRow; close: () => void; saved: (rows: readonly ProjectRow[]) => void }) {
  const [now, setNow] = useState(row)
  const [picking, setPicking] = useState(false)
  const [sure, setSure] = useState(false)
  const threads = rows.value.filter((one) => one.project === row.id).length
  const act = async (work: Promise<Projects>, said: string) => {
    try {
      saved((await work).rows)
      void loadProjects(true)
      tell(said)
      close()
    } catch (error) {
      fail(error)
    }
  }
  const { id, ...body } = now
  const path = `/api/projects/${row.id}`
  const save = () => act(id ? patch<Projects>(path, body) : post<Projects>("/api/projects", body), "Kept. Its threads follow from their next run on.")
  const folders = (next: Granted[]) => setNow({ ...now, folders: next })
  if (picking) {
    return (
      <FolderPicker
        start={now.folders[0]?.folder ?? desk.value?.home ?? "/"}
        close={() => setPicking(false)}
        pick={(folder) => {
          setPicking(false)
          if (!now.folders.some((one) => one.folder === folder)) folders([...now.folders, { folder, mode: "rw" }])
        }}
      />
    )
  }
  return (
    <Dialog title={row.id ? `Change ${row.name}` : "New project"} close={close} wide>
      <form
        class="edit"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        <label for="p-name">Name</label>
        <input id="p-name" value={now.name} maxLength={80} onInput={(event) => setNow({ ...now, name: event.currentTarget.value })} />
        <label for="p-words">What holds in each of its threads</label>
        <textarea id="p-words" rows={4} maxLength={20_000} placeholder="Answer in German. Money is in euros." value={now.instructions} onInput={(event) => setNow({ ...now, instructions: event.currentTarget.value })} />
        <fieldset>
          <legend>Folders</legend>
          {now.folders.map((one) => (
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
                  const mode = event.currentTarget.value as Granted["mode"]
                  folders(now.folders.map((other) => (other === one ? { ...one, mode } : other)))
                }}
              >
                {Object.entries(MODES).map(([mode, words]) => (
                  <option key={mode} value={mode}>
                    {words}
                  </option>
                ))}
              </select>
              <button type="button" class="icon ghost" aria-label={`Remove ${name(one.folder)}`} onClick={() => folders(now.folders.filter((other) => other !== one))}>
                <Cross />
              </button>
            </div>
          ))}
          <button type="button" class="sm" onClick={() => setPicking(true)}>
            <Plus size={14} /> Add a folder
          </button>
        </fieldset>
        <fieldset>
          <legend>Plugins</legend>
          {desk.value?.plugins
            .filter((plugin) => !plugin.problem)
            .map((plugin) => (
              <label class="check" key={plugin.name}>
                <input
                  type="checkbox"
                  checked={now.plugins.includes(plugin.name)}
                  onChange={(event) => setNow({ ...now, plugins: event.currentTarget.checked ? [...now.plugins, plugin.name] : now.plugins.filter((one) => one !== plugin.name) })}
                />
                <span>
                  {plugin.title} {plugin.wants.length > 0 && <span class="mut s12">(agree first to what it wants, under Plugins and models)</span>}
                </span>
              </label>
            ))}
        </fieldset>
        <footer>
          <button class="pri" disabled={!now.name.trim()}>
            Keep
          </button>
          {row.id && !sure && (
            <button type="button" class="ghost" onClick={() => setSure(true)}>
              Delete…
            </button>
          )}
          {row.id && sure && (
            <button type="button" class="danger" onClick={() => act(remove<Projects>(path), "The project is deleted; its threads stay.")}>
              Delete it; {count(threads, "thread stays", "threads stay")}
            </button>
          )}
        </footer>
      </form>
    </Dialog>
  )
}

export function Move({ thread, project, close }: { thread: string; project: string; close: () => void }) {
  const [found, setFound] = useState<readonly ProjectRow[]>([])
  const [picked, setPicked] = useState(project)
  useEffect(() => void get<Projects>("/api/projects").then((all) => setFound(all.rows)).catch(fail), [])
  const move = async () => {
    try {
      await post<Made>(`/api/threads/${thread}/project`, { project: picked })
      tell(picked ? "It is in the project from its next run on." : "It is in no project from its next run on.")
      close()
    } catch (error) {
      fail(error)
    }
  }
  return (
    <Dialog title="Project of this thread" close={close}>
      <label for="m-project">Its next run has the project's folders, plugins and instructions</label>
      <select id="m-project" value={picked} onChange={(event) => setPicked(event.currentTarget.value)}>
        <option value="">None</option>
        {found.map((one) => (
          <option key={one.id} value={one.id}>
            {one.name}
          </option>
        ))}
      </select>
      <footer>
        <button class="pri" disabled={picked === project} onClick={move}>
          Keep
        </button>
      </footer>
    </Dialog>
  )
}
