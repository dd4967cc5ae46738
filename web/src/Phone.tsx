// Letting a phone in: a picture that it reads once, within two minutes.
import { useEffect, useState } from "preact/hooks"
import { post } from "./api"
import type { Pairing } from "./contract.gen"
import { ArrowLeft } from "./icons"
import { desk, fail, reloadDesk } from "./store"
import "./views.css"

export function View() {
  const [now, setNow] = useState<Pairing | null>(null)
  const [left, setLeft] = useState(0)
  const known = desk.value?.devices.length ?? 0
  const [before, setBefore] = useState(known)
  const pair = async () => {
    try {
      await reloadDesk()
      setBefore(desk.value?.devices.length ?? 0)
      const made = await post<Pairing>("/api/pairing")
      setNow(made)
      setLeft(made.seconds)
    } catch (error) {
      fail(error)
    }
  }
  useEffect(() => void pair(), [])
  useEffect(() => {
    if (!now?.rows.length) return
    const timer = setInterval(() => {
      setLeft((seconds) => Math.max(0, seconds - 2))
      void reloadDesk().catch(fail)
    }, 2000)
    return () => clearInterval(timer)
  }, [now])
  const size = now?.rows.length ?? 0
  const path = now?.rows.flatMap((row, y) => [...row].map((dot, x) => (dot === "1" ? `M${x} ${y}h1v1h-1z` : ""))).join("")
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/settings" aria-label="Back">
          <ArrowLeft />
        </a>
        <h1>Phone</h1>
      </header>
      <div class="form list">
        {now && !now.name && (
          <section class="pair">
            <h2>First, a way from your phone to this computer</h2>
            <p>
              This page is served on this computer only, and stays so. With Tailscale on both, your phone reaches it over HTTPS, and nobody else does. In a terminal here:
            </p>
            <pre tabIndex={0}>
              tailscale serve --bg {now.port}
              {"\n"}deskmate serve --name NAME-OF-THIS-COMPUTER.your-tailnet.ts.net
            </pre>
            <p class="s13 mut">The second line is needed once, with the name that the first one shows. Then come back here.</p>
          </section>
        )}
        {now?.name && (
          <section class="pair">
            {known > before ? (
              <p role="status">
                <b>A device was let in.</b> It stands in the settings, where you can sign it out.
              </p>
            ) : left > 0 ? (
              <>
                <h2>Point your phone's camera here</h2>
                <svg class="qr" viewBox={`-4 -4 ${size + 8} ${size + 8}`} role="img" aria-label="The code to let a phone in">
                  <path d={path} />
                </svg>
                <p>It lets one device in, once, within two minutes. Whoever has it can do what you can do here.</p>
              </>
            ) : (
              <p>The code is too old now.</p>
            )}
            <div class="b">
              <button onClick={pair}>Show a new code</button>
              <a class="btn ghost" href="#/settings">
                Devices
              </a>
            </div>
            <p class="s13 mut">Your phone opens {now.name}.</p>
          </section>
        )}
      </div>
    </>
  )
}
