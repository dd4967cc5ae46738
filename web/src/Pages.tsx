// A document as it looks: pictures of its pages, drawn in a virtual machine of its own when they are asked for.
import { useState } from "preact/hooks"
import { get, Refused } from "./api"
import type { Item, Pages as Drawn } from "./contract.gen"
import { name } from "./words"

type Side = "before" | "after"
interface Seen {
  pictures: string[]
  more: boolean
  problem: string
}
const NOTHING: Seen = { pictures: [], more: true, problem: "" }

export const isSeen = (path: string) => /\.(pdf|docx|xlsx|pptx|png|jpe?g|gif)$/i.test(path)

export function Pages({ thread, run, item }: { thread: string; run: string; item: Item }) {
  const [side, setSide] = useState<Side | null>(null)
  const [seen, setSeen] = useState<Record<Side, Seen>>({ before: NOTHING, after: NOTHING })
  const [doing, setDoing] = useState(false)
  const draw = async (which: Side) => {
    const was = seen[which]
    setSide(which)
    setDoing(true)
    try {
      const query = `run=${run}&path=${encodeURIComponent(item.path)}&side=${which}&first=${was.pictures.length + 1}`
      const drawn = await get<Drawn>(`/api/threads/${thread}/changes/pages?${query}`)
      setSeen({ ...seen, [which]: { pictures: [...was.pictures, ...drawn.pictures], more: drawn.more, problem: "" } })
    } catch (error) {
      const problem = error instanceof Refused ? `${error.message} ${error.hint}` : "That did not work."
      setSeen({ ...seen, [which]: { ...was, more: false, problem } })
    }
    setDoing(false)
  }
  const choose = (which: Side) => (side === which ? setSide(null) : seen[which].pictures.length ? setSide(which) : void draw(which))
  const sides: Side[] = item.was !== null ? ["before", "after"] : ["after"]
  const shown = side && seen[side]
  return (
    <div class="seen">
      <div class="sides" role="group" aria-label={`How ${name(item.path)} looks`}>
        {sides.map((which) => (
          <button key={which} class="sm" aria-pressed={side === which} disabled={doing} onClick={() => choose(which)}>
            {sides.length === 1 ? "Show it" : which === "before" ? "Show it before" : "Show it after"}
          </button>
        ))}
      </div>
      <div aria-live="polite">
        {doing && <p class="s13 mut">Drawing the pages in a virtual machine of their own. The first time this takes minutes…</p>}
        {shown?.problem && <p class="s13 bad">{shown.problem}</p>}
      </div>
      {shown?.pictures.map((picture, at) => (
        <img key={at} src={picture} alt={`${name(item.path)}, ${side === "before" ? "before" : "as it would be"}, page ${at + 1}`} />
      ))}
      {shown?.more && shown.pictures.length > 0 && (
        <button class="sm" disabled={doing} onClick={() => side && void draw(side)}>
          More pages
        </button>
      )}
    </div>
  )
}
