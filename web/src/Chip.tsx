// A source in a sentence: it opens the document at the place.
import type { ComponentChildren } from "preact"
import { look, type At } from "./places"
import { name } from "./words"

export function Chip({ thread, at, children }: { thread: string; at: At; children: ComponentChildren }) {
  return (
    <button class="cite" title={`Open ${name(at.path)} there`} onClick={() => look(thread, at)}>
      {children}
    </button>
  )
}
