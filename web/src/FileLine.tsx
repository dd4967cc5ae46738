// One changed file in the list: what it is, how much of it changes, and what must be decided first.
import type { Item } from "./contract.gen"
import { Check, FileText, Folder, Sheet } from "./icons"
import { isBook, isRows } from "./kinds"
import { name } from "./words"

// what is done where the user changed the file, too
export type Won = "yours" | "theirs" | "both"
const WORDS: Record<Item["operation"], [string, string]> = {
  create: ["New", "a"],
  modify: ["Edited", "m"],
  delete: ["Deleted", "d"],
  mkdir: ["New folder", "a"],
  rmdir: ["Folder deleted", "d"],
  mode: ["Permissions", "m"],
}

type LineProps = {
  item: Item
  on: boolean
  out: boolean
  parts: number
  // how much of it changes, and how many findings somebody must decide on
  size: string
  due: number
  allowed: boolean
  won: Won | undefined
  choose: (won: Won) => void
  look: () => void
  allow: () => void
}

export function FileLine({ item, on, out, parts, size, due, allowed, won, choose, look, allow }: LineProps) {
  const [words, kind] = item.moved_from ? (["Moved", "m"] as const) : WORDS[item.operation]
  const sheet = isBook(item.path) || isRows(item.path)
  const about = out ? "Left out" : [size, parts > 0 && `${parts} left out`, due > 0 && `${due} ${due === 1 ? "needs" : "need"} your call`].filter(Boolean).join(", ")
  const standing = item.standing === "open" ? "" : item.standing
  return (
    <li>
      <button class={`f${on ? " on" : ""}${out ? " out" : ""}`} aria-pressed={on} onClick={look} disabled={!item.is_file}>
        <span class={`fi ${sheet ? "x" : "w"}`}>{item.is_file ? sheet ? <Sheet /> : <FileText /> : <Folder />}</span>
        <span class="t">
          <b>{name(item.path)}</b>
          <span class="s12 mut">{[about, item.moved_from && `from ${item.moved_from}`].filter(Boolean).join(" · ")}</span>
        </span>
        {standing ? <span class={`tag ${standing === "applied" ? "a" : standing === "discarded" ? "m" : "w"}`}>{standing}</span> : <span class={`tag ${kind}`}>{words}</span>}
      </button>
      {(item.flags.length > 0 || item.why) && (
        <div class="flags s12">
          {[item.why, ...item.flags].filter(Boolean).map((line) => (
            <p key={line}>{line}</p>
          ))}
          {item.standing === "conflict" && item.is_file && <Winner item={item} won={won} choose={choose} />}
          {item.standing === "protected" && (
            <label class="check">
              <input type="checkbox" checked={allowed} onChange={allow} /> Write it all the same <Check size={12} />
            </label>
          )}
        </div>
      )}
    </li>
  )
}

const WAYS: [Won, string, string][] = [
  ["yours", "Keep yours", "The new version is thrown away."],
  ["theirs", "Take the new one", "Yours gives way; undo brings it back."],
  ["both", "Keep both", "The new one gets a name of its own beside yours."],
]

// Two people changed the same file: nothing is decided for either.
function Winner({ item, won, choose }: { item: Item; won: Won | undefined; choose: (won: Won) => void }) {
  const gone = item.size === null
  const group = `won-${item.path}`
  return (
    <fieldset class="won">
      <legend class="s13">You changed it, too. Which one is right?</legend>
      {WAYS.filter(([way]) => way !== "both" || (!gone && item.now)).map(([way, words, means]) => (
        <label class="check" key={way}>
          <input type="radio" name={group} checked={won === way} onChange={() => choose(way)} />
          <span>
            <b>{way === "theirs" && gone ? "Delete it" : words}</b> <span class="mut">{means}</span>
          </span>
        </label>
      ))}
      {!won && <p class="mut">Until you choose, yours stays as it is and this change waits.</p>}
    </fieldset>
  )
}
