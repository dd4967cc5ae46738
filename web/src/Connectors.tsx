// The user's own tools on other servers: what each may do, whether it is what was accepted, and how its login stands.
import { useEffect, useState } from "preact/hooks"
import { get, patch, post } from "./api"
import type { ConnectorRow, Connectors, Tested, ToolRow } from "./contract.gen"
import { Alert, ArrowLeft, CircleCheck, Plug } from "./icons"
import { fail, tell } from "./store"
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
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/settings" aria-label="Back">
          <ArrowLeft />
        </a>
        <h1>Connectors</h1>
      </header>
      <div class="form list">
        {found?.length === 0 && (
          <section class="blank">
            <Plug size={28} />
            <h2>No connectors yet</h2>
            <p>
              A connector lets threads use a server of yours, such as a CRM. You see its tools before you accept them: <code>deskmate connector add NAME URL</code>
            </p>
          </section>
        )}
        {found?.map((row) => (
          <One key={row.name} row={row} set={setFound} look={look} />
        ))}
      </div>
    </>
  )
}

function One({ row, set, look }: { row: ConnectorRow; set: (rows: readonly ConnectorRow[]) => void; look: () => void }) {
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
        </button>
      </div>
      <p class="s13 mut">
        {row.url}
        {row.server && `, calls itself ${row.server}`}
        {row.of && `, wanted by the plugin ${row.of}`}
        {row.categories.length > 0 && `. Serves ${row.categories.join(", ")}.`}
      </p>
      {row.login === "out" && (
        <p class="s13">
          Log in once, in a terminal: <code>deskmate connector login {row.name}</code>
        </p>
      )}
      {row.secrets.map((secret) => (
        <p class="s13" key={secret}>
          Its secret is missing: <code>deskmate secret set connector.{row.name} {secret}</code>
        </p>
      ))}
      {tested && <Report tested={tested} name={row.name} />}
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

function Report({ tested, name }: { tested: Tested; name: string }) {
  const differs = tested.added.length + tested.gone.length + tested.changed.length > 0
  return (
    <div class={`card${differs ? " attn" : ""}`} role="status">
      {differs ? <Alert /> : <CircleCheck class="ok" />}
      <p>
        {differs ? "It answers, and is not what you accepted. " : `It answers, and is what you accepted: ${count(tested.tools, "tool")}. `}
        {tested.added.length > 0 && `New: ${tested.added.join(", ")}. `}
        {tested.gone.length > 0 && `Gone: ${tested.gone.join(", ")}. `}
        {tested.changed.length > 0 && `Changed, and off until you accept it: ${tested.changed.join(", ")}. `}
        {differs && (
          <>
            See and accept it: <code>deskmate connector review {name}</code>
          </>
        )}
      </p>
    </div>
  )
}
