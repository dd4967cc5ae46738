// Signs in with the code of the address, if there is one, and puts the page up.
import { render } from "preact"
import { App } from "./App"
import { post, Refused } from "./api"
import { connection, fail, load } from "./store"
import { listen } from "./stream"
import { useTheme } from "./theme"
import "./style.css"

async function begin(): Promise<void> {
  useTheme()
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1]
  if (code) {
    history.replaceState(null, "", "/")
    await post("/api/session", { code }).catch((error) => {
      // a second click on the link: this browser may be signed in already
      if (!(error instanceof Refused && error.status === 403)) fail(error)
    })
  }
  render(<App />, document.getElementById("page")!)
  await load()
  if (connection.value !== "signed out") listen()
}

void begin()

// so that an installed page opens while its computer is asleep; the one policy that there is names just this script
function keepPage(): void {
  const worker = "/assets/worker.js"
  const trusted = window.trustedTypes?.createPolicy("worker", { createScriptURL: () => worker })
  navigator.serviceWorker?.register((trusted?.createScriptURL("") ?? worker) as string, { scope: "/" }).catch(() => undefined)
}

// the letters come after the page, which is readable without them
addEventListener("load", () => {
  void import("./letters")
  keepPage()
})
