// How the page looks, and which browsers may use it.
import { useState } from "preact/hooks"
import { remove } from "./api"
import type { Device, Made } from "./contract.gen"
import { ChevronRight } from "./icons"
import { PLACES } from "./menu"
import { possible } from "./notify"
import { connection, desk, fail, keep, recall, reloadDesk } from "./store"
import { setTheme, theme, type Theme } from "./theme"
import { NOTICES } from "./waits"
import { clock, day } from "./words"

export function View() {
  const here = desk.value
  return (
    <section class="form">
      <h1>Settings</h1>
      <nav class="places" aria-label="More">
        {PLACES.map(([view, title, Mark]) => (
          <a key={view} class="row" href={`#/${view}`}>
            <Mark />
            <span class="t">{title}</span>
            <ChevronRight size={14} />
          </a>
        ))}
      </nav>
      <fieldset>
        <legend>Appearance</legend>
        <div class="seg" role="radiogroup" aria-label="Appearance">
          {(["system", "light", "dark"] as Theme[]).map((one) => (
            <label key={one} class={theme.value === one ? "on" : ""}>
              <input type="radio" name="theme" class="unseen" checked={theme.value === one} onChange={() => setTheme(one)} />
              {one === "system" ? "As the system" : one === "light" ? "Light" : "Dark"}
            </label>
          ))}
        </div>
      </fieldset>
      <p>
        <a href="#/welcome">First steps</a>: this computer, a model and its key, a task to try.
      </p>
      <Notices />
      <fieldset>
        <legend>Browsers that are signed in</legend>
        <p class="mut s13">Each was let in by a link that works once. Sign out those that you do not know.</p>
        <ul class="devices">
          {here?.devices.map((device) => (
            <Browser key={device.id} device={device} />
          ))}
        </ul>
      </fieldset>
      <fieldset>
        <legend>Keys</legend>
        <dl class="keys">
          <dt>
            <kbd>Ctrl K</kbd>
          </dt>
          <dd>Search or jump to a thread</dd>
          <dt>
            <kbd>Ctrl Shift O</kbd>
          </dt>
          <dd>New thread</dd>
          <dt>
            <kbd>F6</kbd>
          </dt>
          <dd>Next part of the page</dd>
          <dt>
            <kbd>J</kbd> <kbd>K</kbd> <kbd>X</kbd>
          </dt>
          <dd>In a review: next change, previous change, keep or leave out</dd>
        </dl>
      </fieldset>
      <p class="mut s13">Deskmate {here?.version}. This page is served on this computer only and asks nobody else for anything.</p>
    </section>
  )
}

function Notices() {
  const [on, setOn] = useState(recall(NOTICES) !== null)
  const [refused, setRefused] = useState(false)
  const turn = async () => {
    const wanted = !on && (await Notification.requestPermission()) === "granted"
    setRefused(!on && !wanted)
    keep(NOTICES, wanted ? "1" : "")
    setOn(wanted)
  }
  return (
    <fieldset>
      <legend>Notices</legend>
      <label class="check">
        <input type="checkbox" checked={on} disabled={!possible()} onChange={turn} />
        <span>
          Tell me when something waits for me <span class="mut s13">while this page is open in the background. It says that something waits, never what, and goes through nobody else.</span>
        </span>
      </label>
      {refused && <p class="s13 bad">Your browser does not allow it: change that in its settings for this page.</p>}
      {!possible() && <p class="s13 mut">This browser shows no notices here.</p>}
    </fieldset>
  )
}

function Browser({ device }: { device: Device }) {
  const leave = async () => {
    try {
      await remove<Made>(device.here ? "/api/session" : `/api/devices/${device.id}`)
      if (device.here) connection.value = "signed out"
      else await reloadDesk()
    } catch (error) {
      fail(error)
    }
  }
  return (
    <li>
      <div class="t">
        <b>
          {device.name}
          {device.here ? " (this one)" : ""}
        </b>
        <div class="mut s12">
          Since {day(device.made)}, last seen {day(device.seen)} {clock(device.seen)}
        </div>
      </div>
      <button class="sm" onClick={leave} aria-label={`Sign out ${device.name}${device.here ? ", this browser" : ""}`}>
        Sign out
      </button>
    </li>
  )
}
