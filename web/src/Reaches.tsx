// What a thread reaches: its connectors, and the hosts that its virtual machine may ask.
import { useEffect, useState } from "preact/hooks"
import { get, post, remove } from "./api"
import type { Reach } from "./contract.gen"
import { Cross } from "./icons"
import { catchUp, fail, tell } from "./store"
import { count } from "./words"

export function Reaches({ thread }: { thread: string }) {
  const [now, setNow] = useState<Reach | null>(null)
  const [host, setHost] = useState("")
  const [busy, setBusy] = useState(false)
  const path = `/api/threads/${thread}/reach`
  useEffect(() => void get<Reach>(path).then(setNow).catch(fail), [])
  const change = async (work: Promise<Reach>) => {
    setBusy(true)
    try {
      setNow(await work)
      tell("Kept. It holds from the next run on.")
      await catchUp()
      setBusy(false)
      return true
    } catch (error) {
      fail(error)
      setBusy(false)
      return false
    }
  }
  const give = async (name: string, on: boolean) => {
    if (!now) return
    setNow({ ...now, connectors: now.connectors.map((one) => (one.name === name ? { ...one, on } : one)) })
    if (!(await change(post<Reach>(`${path}/connectors`, { name, on })))) setNow(now)
  }
  if (!now) return <div class="bone late" />
  return (
    <>
      <fieldset>
        <legend>Connectors of this thread</legend>
        {now.connectors.length === 0 && (
          <p class="mut s13">
            None is connected yet. <a href="#/connectors/new">Connect one</a>
          </p>
        )}
        {now.connectors.map((one) => (
          <label class="check" key={one.name}>
            <input type="checkbox" checked={one.on} disabled={busy} onChange={(event) => give(one.name, event.currentTarget.checked)} />
            <span>
              <b>{one.name}</b>{" "}
              <span class="mut">
                {one.server}, {count(one.tools, "tool")}
              </span>
            </span>
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>Network of its virtual machine</legend>
        {now.hosts.length === 0 && <p class="mut s13">None: it reaches nothing.</p>}
        {now.hosts.map((rule) => (
          <div class="granted" key={`${rule.by} ${rule.host}`}>
            <span class="t">
              <b>{rule.words}</b> {!rule.mine && <span class="mut">asked for by {rule.by}</span>}
            </span>
            {rule.mine && (
              <button type="button" class="icon ghost" disabled={busy} aria-label={`Take ${rule.host} away`} onClick={() => change(remove<Reach>(`${path}/hosts`, { host: rule.host }))}>
                <Cross />
              </button>
            )}
          </div>
        ))}
        <form
          onSubmit={(event) => {
            event.preventDefault()
            if (host.trim()) void change(post<Reach>(`${path}/hosts`, { host: host.trim() })).then((done) => done && setHost(""))
          }}
        >
          <label for="r-host">Let it read from a host</label>
          <div class="pathline">
            <input id="r-host" spellcheck={false} autocomplete="off" placeholder="api.example.com" value={host} onInput={(event) => setHost(event.currentTarget.value)} />
            <button disabled={busy || !host.trim()}>Allow</button>
          </div>
          <p class="mut s13">Reading only, unless you add methods, such as api.example.com:GET,POST. What would send your data is asked about each time.</p>
        </form>
      </fieldset>
    </>
  )
}
