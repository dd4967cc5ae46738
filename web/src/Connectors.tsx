// The user's own tools on other servers: what each may do, whether it is what was accepted, and how its login stands.
import { useEffect, useState } from "preact/hooks"
import { get, patch, post, remove } from "./api"
import { NewConnector, useUnderway, Way } from "./Connecting"
import type { ConnectorRow, Connectors, Tested, ToolRow, Underway } from "./contract.gen"
import { Dialog } from "./Dialog"
import { Alert, ArrowLeft, CircleCheck, Plug, Plus } from "./icons"
import { fail, route, tell } from "./store"
import "./views.css"
import { count } from "./words"

const DECISIONS: [string, string][] = [
  ["", "Asked about"],
  ["ask", "Always asked about"],
  ["allow", "Allowed"],
  ["deny", "Blocked"],
]
const RISKS: [ToolRow["risk"], string][] = [
  ["read", "It only reads"],
  ["write", "It changes things"],
  ["send", "It sends outside"],
]

export function View() {
  const [found, setFound] = useState<readonly ConnectorRow[] | null>(null)
  const look = () => get<Connectors>("/api/connectors").then((all) => setFound(all.rows), fail)
  useEffect(() => void look(), [])
  const [now, setNow] = useUnderway()
  // a login that is done shows in the list
  useEffect(() => {
    if (now?.step === "done" || now?.step === "shown") void look()
  }, [now?.step])
  if (route.value.item === "new" && now?.name === "") return <NewConnector begun={setNow} />
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/settings" aria-label="Back">
          <ArrowLeft />
        </a>
        <h1>Connectors</h1>
        <div class="tools">
          <a class="btn" href="#/connectors/new">
            <Plus /> New connector
          </a>
        </div>
      </header>
      <div class="form list">
        {now && now.name !== "" && <Way now={now} set={setNow} kept={(all) => setFound(all.rows)} />}
        {found?.length === 0 && !now?.name && (
          <section class="blank">
            <Plug size={28} />
            <h2>No connectors yet</h2>
            <p>A connector lets threads use a server of yours, such as a CRM. You see its tools before you accept them.</p>
            <a class="btn pri" href="#/connectors/new">
              Connect one
            </a>
          </section>
        )}
        {found?.map((row) => (
          <One key={row.name} row={row} set={setFound} look={look} way={setNow} />
        ))}
      </div>
    </>
  )
}

type OneProps = { row: ConnectorRow; set: (rows: readonly ConnectorRow[]) => void; look: () => void; way: (now: Underway) => void }

function One({ row, set, look, way }: OneProps) {
  const [leaving, setLeaving] = useState(false)
  const again = (what: "login" | "review") => post<Underway>(`/api/connectors/${row.name}/${what}`).then(way, fail)
  const forget = async () => {
    try {
      set((await remove<Connectors>(`/api/connectors/${row.name}`)).rows)
      tell(`${row.name} is forgotten, with its secrets.`)
    } catch (error) {
      setLeaving(false)
      fail(error)
    }
  }
  const [tested, setTested] = useState<Tested | null>(null)
  const [busy, setBusy] = useState(false)
  const test = async () => {
    setBusy(true)
    try {
      setTested(await post<Tested>(`/api/connectors/${row.name}/test`))
      look()
    } catch (error) {
      setTested(null)
      fail(error)
    }
    setBusy(false)
  }
  const change = async (tool: ToolRow, what: Partial<ToolRow>) => {
    const wanted = { ...tool, ...what }
    try {
      const all = await patch<Connectors>(`/api/connectors/${row.name}`, { tool: tool.name, decision: wanted.decision, risk: wanted.risk })
      set(all.rows)
      tell(`${tool.name}: kept.`)
    } catch (error) {
      fail(error)
    }
  }
  const off = row.tools.filter((tool) => tool.off).length
  return (
    <section class="line-item" aria-labelledby={`c-${row.name}`}>
      <div class="head">
        <h2 class="t" id={`c-${row.name}`}>
          {row.name}
        </h2>
        {row.login === "in" && <span class="state good">Logged in</span>}
        {row.login === "out" && <span class="state warn">Not logged in</span>}
        {off > 0 && <span class="state bad">{count(off, "tool")} off</span>}
        <button class="sm" disabled={busy} onClick={test}>
          {busy ? "Asking…" : "Test"}
          <span class="unseen"> {row.name}</span>
        </button>
        {row.login !== "" && (
          <button class="sm" onClick={() => again("login")}>
            {row.login === "in" ? "Log in again" : "Log in"}
            <span class="unseen"> to {row.name}</span>
          </button>
        )}
        <button class="sm ghost" onClick={() => setLeaving(true)}>
          Remove<span class="unseen"> {row.name}</span>
        </button>
      </div>
      {leaving && (
        <Dialog title={`Remove ${row.name}?`} close={() => setLeaving(false)}>
          <p>It is forgotten with its login and secrets. Threads that had it go on without it; what it did stays in their records.</p>
          <footer>
            <button class="danger" onClick={forget}>
              Remove it for good
            </button>
          </footer>
        </Dialog>
      )}
      <p class="s13 mut">
        {row.url}
        {row.server && `, calls itself ${row.server}`}
        {row.of && `, wanted by the plugin ${row.of}`}
        {row.categories.length > 0 && `. Serves ${row.categories.join(", ")}.`}
      </p>
      {row.secrets.map((secret) => (
        <Secret key={secret} connector={row.name} name={secret} set={set} />
      ))}
      {tested && <Report tested={tested} review={() => again("review")} />}
      <details>
        <summary>{count(row.tools.length, "tool")}</summary>
        <div class="framed">
          {row.tools.map((tool) => (
            <div class="tool" key={tool.name}>
              <b>{tool.name}</b>
              <span class="tools-row">
                <select aria-label={`What ${tool.name} does`} value={tool.risk} onChange={(event) => change(tool, { risk: event.currentTarget.value as ToolRow["risk"] })}>
                  {RISKS.map(([value, words]) => (
                    <option key={value} value={value}>
                      {words}
                    </option>
                  ))}
                </select>
                <select aria-label={`Whether ${tool.name} may run`} value={tool.decision} onChange={(event) => change(tool, { decision: event.currentTarget.value })}>
                  {DECISIONS.map(([value, words]) => (
                    <option key={value} value={value}>
                      {words}
                    </option>
                  ))}
                </select>
              </span>
              <span class="s13 ink2">
                {tool.about}
                {tool.says && <span class="mut"> Its server says that {tool.says}; nothing follows from that.</span>}
              </span>
              {tool.off && <span class="s13 bad">Off: {tool.off}</span>}
            </div>
          ))}
        </div>
        <p class="s13 mut">What sends outside is asked about each time, whatever is chosen here.</p>
      </details>
    </section>
  )
}

function Report({ tested, review }: { tested: Tested; review: () => void }) {
  const differs = tested.added.length + tested.gone.length + tested.changed.length > 0
  return (
    <div class={`card${differs ? " attn" : ""}`} role="status">
      {differs ? <Alert /> : <CircleCheck class="ok" />}
      <p>
        {differs ? "It answers, and is not what you accepted. " : `It answers, and is what you accepted: ${count(tested.tools, "tool")}. `}
        {tested.added.length > 0 && `New: ${tested.added.join(", ")}. `}
        {tested.gone.length > 0 && `Gone: ${tested.gone.join(", ")}. `}
        {tested.changed.length > 0 && `Changed, and off until you accept it: ${tested.changed.join(", ")}. `}
      </p>
      {differs && <button onClick={review}>See and accept it</button>}
    </div>
  )
}

function Secret({ connector, name, set }: { connector: string; name: string; set: (rows: readonly ConnectorRow[]) => void }) {
  const [value, setValue] = useState("")
  const id = `s-${connector}-${name}`
  const keep = async () => {
    try {
      set((await post<Connectors>(`/api/connectors/${connector}/secret`, { name, value })).rows)
      tell(`${name} is kept.`)
    } catch (error) {
      fail(error)
    }
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (value) void keep()
      }}
    >
      <label for={id}>Its secret {name} is missing</label>
      <div class="pathline">
        <input id={id} type="password" autocomplete="off" value={value} onInput={(event) => setValue(event.currentTarget.value)} />
        <button disabled={!value}>Keep</button>
      </div>
    </form>
  )
}
