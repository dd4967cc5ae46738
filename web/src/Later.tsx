// A view that is fetched when it is first looked at, so that the page itself stays small.
import type { ComponentType } from "preact"
import { useEffect, useState } from "preact/hooks"

type Module = { View: ComponentType }
const known = new Map<string, ComponentType>()

export function Later({ name, load }: { name: string; load: () => Promise<Module> }) {
  const [, again] = useState(0)
  const [broken, setBroken] = useState(false)
  const View = known.get(name)
  useEffect(() => {
    if (View) return
    load().then(
      (module) => {
        known.set(name, module.View)
        again((n) => n + 1)
      },
      () => setBroken(true),
    )
  }, [name])
  if (View) return <View />
  if (broken) {
    return (
      <section class="blank">
        <h1>This part could not be fetched</h1>
        <p>Deskmate may have been updated meanwhile. Nothing is lost.</p>
        <button onClick={() => location.reload()}>Load the page again</button>
      </section>
    )
  }
  return (
    <div class="form late" aria-busy="true">
      <h1 class="unseen">Opening…</h1>
      <div class="bone" />
      <div class="bone" />
      <div class="bone" />
    </div>
  )
}
