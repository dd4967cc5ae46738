// A connector on its way: the form, what its server offers with every word of it, its login, and the user's word.
import { useEffect, useState } from "preact/hooks"
import { get, post, remove } from "./api"
import type { Connectors, Offered, Underway } from "./contract.gen"
import { Alert, ArrowLeft, Cross, Loader, Plus } from "./icons"
import { fail, go, tell } from "./store"
import { count } from "./words"

const OFTEN_MS = 1000
const MOVING: Underway["step"][] = ["fetching", "asking", "login"]
const HERE = /^(127\.0\.0\.1|localhost)$/.test(location.hostname)

// what is on its way, read again while it moves
export function useUnderway(): [Underway | null, (now: Underway | null) => void] {
  const [now, setNow] = useState<Underway | null>(null)
  const look = () => get<Underway>("/api/connecting").then(setNow, fail)
  useEffect(() => void look(), [])
  const moves = now !== null && now.name !== "" && MOVING.includes(now.step)
  useEffect(() => {
    if (!moves) return
    const timer = setInterval(look, OFTEN_MS)
    return () => clearInterval(timer)
  }, [moves])
  return [now, setNow]
}

export function Way({ now, set, kept }: { now: Underway; set: (now: Underway) => void; kept: (all: Connectors) => void }) {
  const [busy, setBusy] = useState(false)
  const work = async (steps: () => Promise<void>) => {
    setBusy(true)
    await steps().catch(fail)
    setBusy(false)
  }
  const cancel = () => work(async () => set(await remove<Underway>("/api/connecting")))
  const on = () => work(async () => set(await post<Underway>("/api/connecting/go")))
  const accept = () =>
    work(async () => {
      kept(await post<Connectors>("/api/connecting/accept"))
      set(await get<Underway>("/api/connecting"))
      tell(`${now.name} is connected. Give it to a schedule, or to a thread in a terminal.`)
    })
  return (
    <section class={`line-item way-in${now.step === "failed" ? " bad" : ""}`} aria-labelledby="under-way">
      <div class="head">
        {now.step === "failed" ? <Alert class="bad" /> : MOVING.includes(now.step) && <Loader class="spin" />}
        <h2 class="t" id="under-way">
          {now.name}
        </h2>
        <span class="state info">{now.kind === "add" ? "New" : now.kind === "login" ? "Login" : "Looked at again"}</span>
      </div>
      <div role="status" class="s13">
        {said(now)}
      </div>
      {now.step === "login" && now.login && (
        <p>
          <a class="btn pri" href={now.login} target="_blank" rel="noopener noreferrer">
            Log in at {now.login_host}
          </a>
          {!HERE && <span class="line s13 bad">Do this in a browser on the computer itself: only there the answer comes back to Deskmate.</span>}
        </p>
      )}
      {now.program.length > 0 && now.step !== "shown" && (
        <details open={now.step === "fetched"}>
          <summary>What was fetched, and what it may reach</summary>
          <pre class="pins" tabIndex={0}>{now.program.join("\n")}</pre>
        </details>
      )}
      {now.step === "shown" && (
        <>
          {now.gone.length > 0 && <p class="s13 bad">No longer there: {now.gone.join(", ")}</p>}
          <Tools tools={now.tools} />
          {Object.entries(now.left_out).map(([tool, why]) => (
            <p class="s13 mut" key={tool}>
              Left out: {tool}: {why}
            </p>
          ))}
        </>
      )}
      {now.problem && (
        <p class="bad s13" role="alert">
          {now.problem} {now.hint}
        </p>
      )}
      <div class="b wrap">
        {now.step === "fetched" && (
          <button class="pri" disabled={busy} onClick={on}>
            Start it and ask for its tools
          </button>
        )}
        {now.step === "login wanted" && (
          <button class="pri" disabled={busy} onClick={on}>
            Log in
          </button>
        )}
        {now.step === "shown" && (
          <button class="pri" disabled={busy} onClick={accept}>
            Accept {now.kind === "add" ? count(now.tools.length, "tool") : "this"} as described
          </button>
        )}
        <button disabled={busy} onClick={cancel}>
          {now.step === "failed" || now.step === "done" ? "Close" : "Give it up"}
        </button>
        {now.step === "shown" && <span class="mut s13">Each call is asked about until you allow the tool.</span>}
      </div>
    </section>
  )
}

function said(now: Underway): string {
  switch (now.step) {
    case "fetching":
      return now.line || "Fetching the package and all it needs, as data; nothing of it runs."
    case "fetched":
      return "Nothing of it has run yet. It starts in a virtual machine of its own, which reaches only what you allowed."
    case "asking":
      return now.program.length ? "Starting it in a virtual machine and asking for its tools; the first time this takes a minute." : `Asking ${now.url} for its tools…`
    case "login wanted":
      return "Its server wants to know who you are."
    case "login":
      return now.login ? "Log in in a new tab, and come back here. It waits ten minutes." : "Asking its server how you log in…"
    case "shown":
      return now.server ? `It calls itself ${now.server}. Read what its tools say: the model reads it, too.` : "Read what its tools say: the model reads it, too."
    case "done":
      return now.kind === "login" ? "You are logged in, and it is what you accepted." : "It is what you accepted."
    case "failed":
      return now.kind === "add" ? "It is not connected; nothing of it was kept." : "It stays as it was."
  }
}

function Tools({ tools }: { tools: readonly Offered[] }) {
  return (
    <ul class="framed offered" aria-label="Its tools" tabIndex={0}>
      {tools.map((tool) => (
        <li key={tool.name}>
          <b>{tool.name}</b>
          {tool.says && <span class="mut s12"> its server says: it {tool.says}; nothing follows from that</span>}
          <span class="line s13 ink2">{tool.about}</span>
          {tool.arguments.map((line) => (
            <span class="line s12 mut" key={line}>
              {line}
            </span>
          ))}
          {tool.differs.length > 0 && <pre class="pins">{tool.differs.join("\n")}</pre>}
        </li>
      ))}
    </ul>
  )
}

type From = "url" | "pypi" | "npm"
interface Secret {
  key: number
  name: string
  scheme: string
  secret: string
  value: string
  send_to: string
}
let next = 0
const lines = (text: string) => text.split("\n").map((one) => one.trim()).filter(Boolean)

export function NewConnector({ begun }: { begun: (now: Underway) => void }) {
  const [from, setFrom] = useState<From>("url")
  const [name, setName] = useState("")
  const [place, setPlace] = useState("")
  const [categories, setCategories] = useState("")
  const [login, setLogin] = useState(false)
  const [secrets, setSecrets] = useState<Secret[]>([])
  const [words, setWords] = useState("")
  const [hosts, setHosts] = useState("")
  const [variables, setVariables] = useState("")
  const [busy, setBusy] = useState(false)
  const program = from !== "url"
  const lacks = (!name.trim() && "Give it a name.") || (!place.trim() && (program ? "Name the package." : "Write its address.")) || (secrets.some((one) => !one.value) && "Write the value of each secret, or remove it.") || ""
  const add = async () => {
    if (lacks || busy) return
    setBusy(true)
    const common = { name: name.trim(), [from]: place.trim(), categories: categories.split(",").map((one) => one.trim()).filter(Boolean) }
    const more = program
      ? { arguments: lines(words), hosts: lines(hosts), variables: lines(variables), secrets: secrets.map(({ name, send_to, value }) => ({ name: name.trim(), send_to: send_to.trim(), value })) }
      : { login, headers: secrets.map(({ name, scheme, secret, value }) => ({ name: name.trim(), scheme: scheme.trim(), secret: secret.trim(), value })) }
    try {
      const now = await post<Underway>("/api/connecting", { ...common, ...more })
      setSecrets([])
      begun(now)
      go("/connectors")
    } catch (error) {
      fail(error)
      setBusy(false)
    }
  }
  const change = (key: number, what: Partial<Secret>) => setSecrets(secrets.map((one) => (one.key === key ? { ...one, ...what } : one)))
  const another = () => setSecrets([...secrets, { key: (next += 1), name: program ? "" : "Authorization", scheme: program ? "" : "Bearer", secret: "TOKEN", value: "", send_to: "" }])
  return (
    <>
      <header class="top">
        <a class="btn icon ghost" href="#/connectors" aria-label="All connectors">
          <ArrowLeft />
        </a>
        <h1>New connector</h1>
      </header>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault()
          void add()
        }}
      >
        <p class="ink2">A server of yours that speaks MCP. You see its tools, with all they say, before it is kept; each call is asked about until you allow the tool.</p>
        <div class="two">
          <div>
            <label for="k-name">Its name here</label>
            <input id="k-name" maxLength={24} placeholder="crm" value={name} onInput={(event) => setName(event.currentTarget.value)} />
          </div>
          <div>
            <label for="k-what">What it is (with commas between)</label>
            <input id="k-what" placeholder="CRM" value={categories} onInput={(event) => setCategories(event.currentTarget.value)} />
          </div>
        </div>
        <div class="two">
          <div>
            <label for="k-from">Where it is</label>
            <select id="k-from" value={from} onChange={(event) => { setFrom(event.currentTarget.value as From); setSecrets([]) }}>
              <option value="url">At an address</option>
              <option value="pypi">A program, a Python package</option>
              <option value="npm">A program, a package of npm</option>
            </select>
          </div>
          <div>
            <label for="k-place">{program ? "Package, best with its version" : "Address"}</label>
            <input id="k-place" spellcheck={false} autocomplete="off" placeholder={from === "url" ? "https://mcp.example.com/mcp" : from === "pypi" ? "mcp-server-time==2026.10.19" : "@example/server@1.2.3"} value={place} onInput={(event) => setPlace(event.currentTarget.value)} />
          </div>
        </div>
        {!program && (
          <label class="check">
            <input type="checkbox" checked={login} onChange={() => setLogin(!login)} />
            <span>It wants me to log in in a browser. If you do not know: it is asked.</span>
          </label>
        )}
        {program && (
          <fieldset>
            <legend>The program</legend>
            <p class="mut s13">It is fetched as data, pinned, shown, and runs in a virtual machine of its own. It gets no files of yours.</p>
            <label for="k-hosts">What it may reach, one a line; empty: nothing</label>
            <textarea id="k-hosts" rows={2} spellcheck={false} placeholder="api.example.com:GET,POST" value={hosts} onInput={(event) => setHosts(event.currentTarget.value)} />
            <details>
              <summary>Its arguments and variables</summary>
              <div class="edit">
                <label for="k-words">Arguments, one a line</label>
                <textarea id="k-words" rows={2} spellcheck={false} placeholder="--local-timezone=Europe/Paris" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
                <label for="k-variables">Variables, one a line</label>
                <textarea id="k-variables" rows={2} spellcheck={false} placeholder="REGION=eu" value={variables} onInput={(event) => setVariables(event.currentTarget.value)} />
              </div>
            </details>
          </fieldset>
        )}
        <fieldset>
          <legend>Secrets</legend>
          <p class="mut s13">{program ? "The program gets a stand-in; Deskmate puts the secret into its requests to the one host." : "Sent with each request, by Deskmate itself."} Kept in your system's keyring; it never enters a virtual machine, a log or this page again.</p>
          {secrets.map((one, at) => (
            <div class="secret" role="group" aria-label={`Secret ${at + 1}`} key={one.key}>
              <div>
                <label for={`k-n${one.key}`}>{program ? "Variable" : "Header"}</label>
                <input id={`k-n${one.key}`} spellcheck={false} placeholder={program ? "API_KEY" : "Authorization"} value={one.name} onInput={(event) => change(one.key, { name: event.currentTarget.value })} />
              </div>
              {program ? (
                <div>
                  <label for={`k-t${one.key}`}>Goes to</label>
                  <input id={`k-t${one.key}`} spellcheck={false} placeholder="api.example.com" value={one.send_to} onInput={(event) => change(one.key, { send_to: event.currentTarget.value })} />
                </div>
              ) : (
                <div>
                  <label for={`k-s${one.key}`}>Word before it</label>
                  <input id={`k-s${one.key}`} spellcheck={false} placeholder="none" value={one.scheme} onInput={(event) => change(one.key, { scheme: event.currentTarget.value })} />
                </div>
              )}
              <div>
                <label for={`k-v${one.key}`}>Value</label>
                <input id={`k-v${one.key}`} type="password" autocomplete="off" value={one.value} onInput={(event) => change(one.key, { value: event.currentTarget.value })} />
              </div>
              <button type="button" class="icon ghost" aria-label={`Remove secret ${at + 1}`} onClick={() => setSecrets(secrets.filter((other) => other !== one))}>
                <Cross />
              </button>
            </div>
          ))}
          <button type="button" onClick={another}>
            <Plus /> Add a secret
          </button>
        </fieldset>
        <div class="b wrap">
          <button class="pri" disabled={busy || lacks !== ""} aria-describedby="k-lacks">
            {program ? "Fetch it" : "Ask for its tools"}
          </button>
          <span id="k-lacks" class="mut s13">
            {lacks || "Nothing is kept before you accept its tools."}
          </span>
        </div>
      </form>
    </>
  )
}
