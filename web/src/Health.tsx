// What Deskmate needs of this computer: what works, what does not, and the cure.
import { useHealth } from "./cure"
import { Alert, ArrowLeft, CircleCheck, Cross } from "./icons"
import { Refresh } from "./icons_more"
import "./views.css"

export function View() {
  const { found, busy, line, look, cure } = useHealth()
  const sick = found?.checks.filter((check) => check.state === "fail").length ?? 0
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/settings" aria-label="Back">
          <ArrowLeft />
        </a>
        <h1>This computer</h1>
        <div class="tools">
          <button class="sm" disabled={busy !== ""} onClick={look}>
            <Refresh size={14} /> Look again
          </button>
        </div>
      </header>
      <div class="form list">
        {found && <p class="ink2">{sick === 0 ? "Everything that Deskmate needs is here." : "Something is missing. Threads can be read all the same; without a virtual machine no tool runs."}</p>}
        {!found && (
          <div class="late" aria-hidden="true">
            <div class="bone" />
            <div class="bone" />
          </div>
        )}
        <ul class="past checks">
          {found?.checks.map((check) => (
            <li key={check.name}>
              <b>
                {check.state === "ok" ? <CircleCheck class="ok" /> : check.state === "warn" ? <Alert class="hand" /> : <Cross class="bad" />} {check.name}
              </b>
              <span class={`state ${check.state === "ok" ? "good" : check.state === "warn" ? "warn" : "bad"}`}>
                {check.state === "ok" ? "Works" : check.state === "warn" ? "Look at this" : "Does not work"}
              </span>
              <span>
                {check.cause}
                {check.cure && check.state !== "ok" && <span class="line s13 ink2">What to do: {check.cure}</span>}
                {busy === check.name && line && <span class="line s13 mut">{line}</span>}
              </span>
              <span>
                {check.curable && (
                  <button class="sm" disabled={busy !== ""} onClick={() => cure(check)}>
                    {busy === check.name ? "At it…" : "Put it right"}
                    <span class="unseen">: {check.name}</span>
                  </button>
                )}
              </span>
            </li>
          ))}
        </ul>
      </div>
    </>
  )
}
