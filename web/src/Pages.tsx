// A document as it looks: pictures of its pages, drawn in a virtual machine of its own when they are asked for.
import { useEffect, useState } from "preact/hooks"
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

export const isPicture = (path: string) => /\.(png|jpe?g|gif)$/i.test(path)
export const isSeen = (path: string) => /\.(pdf|docx|xlsx|pptx|png|jpe?g|gif)$/i.test(path)

export function Pages({ thread, run, item }: { thread: string; run: string; item: Item }) {
  const [side, setSide] = useState<Side>("after")
  const [seen, setSeen] = useState<Record<Side, Seen>>({ before: NOTHING, after: NOTHING })
  const [doing, setDoing] = useState(false)
  const draw = async (which: Side) => {
    const was = seen[which]
    setDoing(true)
    try {
      const query = `run=${run}&path=${encodeURIComponent(item.path)}&side=${which}&first=${was.pictures.length + 1}`
      const drawn = await get<Drawn>(`/api/threads/${thread}/changes/pages?${query}`)
      setSeen((all) => ({ ...all, [which]: { pictures: [...was.pictures, ...drawn.pictures], more: drawn.more, problem: "" } }))
    } catch (error) {
      const problem = error instanceof Refused ? `${error.message} ${error.hint}` : "That did not work."
      setSeen((all) => ({ ...all, [which]: { ...was, more: false, problem } }))
    }
    setDoing(false)
  }
  useEffect(() => {
    // what failed is asked for again when it is looked at again
    if (!seen[side].pictures.length) void draw(side)
  }, [side])
  const shown = seen[side]
  return (
    <div class="seen">
      {item.was !== null && (
        <div class="sides" role="group" aria-label={`Which version of ${name(item.path)}`}>
          {(["before", "after"] as const).map((which) => (
            <button key={which} class="sm" aria-pressed={side === which} disabled={doing} onClick={() => setSide(which)}>
              {which === "before" ? "Before" : "After"}
            </button>
          ))}
        </div>
      )}
      <div aria-live="polite">
        {doing && <p class="s13 mut">Drawing the pages in a virtual machine of their own. The first time this takes minutes…</p>}
        {!doing && shown.problem && <p class="s13 bad">{shown.problem}</p>}
      </div>
      {shown.pictures.map((picture, at) => (
        <img key={at} src={picture} alt={`${name(item.path)}, ${side === "before" ? "before" : "as it would be"}, page ${at + 1}`} />
      ))}
      {shown.more && shown.pictures.length > 0 && (
        <button class="sm" disabled={doing} onClick={() => void draw(side)}>
          More pages
        </button>
      )}
    </div>
  )
}
