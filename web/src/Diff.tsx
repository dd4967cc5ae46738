// How one file changes, piece by piece, words against words.
import { useMemo } from "preact/hooks"
import type { Item, Shown } from "./contract.gen"
import { Check, Download } from "./icons"
import { isSeen, Pages } from "./Pages"
import { name } from "./words"
import { words, type Part } from "./worddiff"

type Props = {
  thread: string
  run: string
  item: Item
  shown: Shown | string | undefined
  out: boolean
  left: string[]
  frozen: boolean
  toggleFile: () => void
  togglePart: (id: string, all: string[]) => void
}
interface Piece {
  head: string
  lines: string[]
}

export function Diff({ thread, run, item, shown, out, left, frozen, toggleFile, togglePart }: Props) {
  const pieces = useMemo(() => (typeof shown === "object" ? cut(shown.lines) : []), [shown])
  const fixed = frozen || item.standing !== "open"
  const ids = typeof shown === "object" ? shown.hunks : []
  const alone = ids.length > 1 && ids.length === pieces.length
  return (
    <div class="df">
      <div class="hd">
        <h2>{name(item.path)}</h2>
        {!fixed && <KeepOut keep={!out} toggle={toggleFile} what={name(item.path)} />}
      </div>
      {item.size !== null && (
        <p class="s13">
          <a class="btn sm ghost" href={`/api/threads/${thread}/changes/file?run=${run}&path=${encodeURIComponent(item.path)}`} download={name(item.path)}>
            <Download size={13} /> Download
          </a>
        </p>
      )}
      {isSeen(item.path) && item.size !== null && <Pages key={`${run} ${item.path}`} thread={thread} run={run} item={item} />}
      {shown === undefined && <div class="bone late" />}
      {typeof shown === "string" && <p class="s13 mut">{shown}</p>}
      {pieces.map((piece, at) => {
        const id = ids[at] ?? ""
        const kept = !out && !left.includes(id)
        const done = typeof shown === "object" && shown.applied.includes(id)
        return (
          <section class={`pg${kept || fixed ? "" : " out"}`} key={at} tabIndex={0} data-piece aria-label={`Change ${at + 1} of ${pieces.length}`}>
            <Lines lines={piece.lines} />
            <div class="lab">
              <span>{place(piece.head, at, pieces.length)}</span>
              {done ? <span class="x ok">Applied</span> : alone && !fixed && <KeepOut keep={kept} toggle={() => togglePart(id, ids)} what={`change ${at + 1}`} />}
            </div>
          </section>
        )
      })}
    </div>
  )
}

function KeepOut({ keep, toggle, what }: { keep: boolean; toggle: () => void; what: string }) {
  return (
    <span class="x" role="group" aria-label={`Keep or leave out ${what}`}>
      <button class={`sm${keep ? " ghost" : ""}`} aria-pressed={!keep} onClick={() => keep && toggle()} data-toggle={keep ? "" : undefined}>
        Leave out
      </button>
      <button class={`sm${keep ? "" : " ghost"}`} aria-pressed={keep} onClick={() => keep || toggle()} data-toggle={keep ? undefined : ""}>
        {keep && <Check size={13} />} Keep
      </button>
    </span>
  )
}

function place(head: string, at: number, of: number): string {
  const where = /^@@ (.*?) @@/.exec(head)?.[1] ?? ""
  const lines = /^-(\d+)(?:,\d+)? \+(\d+)/.exec(where)
  const words = lines ? `line ${lines[2]}` : where
  return of > 1 ? `Change ${at + 1} of ${of}${words ? `: ${words}` : ""}` : words
}

function cut(lines: string[]): Piece[] {
  const pieces: Piece[] = []
  for (const line of lines) {
    if (line.startsWith("@@")) pieces.push({ head: line, lines: [] })
    else if (pieces.length) pieces.at(-1)!.lines.push(line)
    else if (!line.startsWith("---") && !line.startsWith("+++")) pieces.push({ head: "", lines: [line] })
  }
  return pieces
}

function Lines({ lines }: { lines: string[] }) {
  const out = []
  for (let at = 0; at < lines.length; ) {
    const gone: string[] = []
    const come: string[] = []
    while (lines[at]?.startsWith("-")) gone.push(lines[at++]!.slice(1))
    while (lines[at]?.startsWith("+")) come.push(lines[at++]!.slice(1))
    if (gone.length || come.length) {
      out.push(<Changed key={at} gone={gone.join("\n")} come={come.join("\n")} />)
    } else {
      const line = lines[at++]!
      out.push(<div key={at}>{line.startsWith(" ") || line.startsWith("~") ? line.slice(1) || "\u00a0" : line}</div>)
    }
  }
  return (
    <div class="q" ref={reachable}>
      {out}
    </div>
  )
}

/** What is longer than its box is scrolled by keys, too: then it is a stop of the Tab key. */
function reachable(box: HTMLElement | null): void {
  if (box && box.scrollHeight > box.clientHeight) box.tabIndex = 0
}

function Changed({ gone, come }: { gone: string; come: string }) {
  const parts: Part[] = words(gone, come)
  return (
    <div>
      {parts.map((part, at) =>
        part.kind === "same" ? (
          part.text
        ) : part.kind === "gone" ? (
          <del key={at}>
            <span class="unseen">[removed: </span>
            {part.text}
            <span class="unseen">]</span>
          </del>
        ) : (
          <ins key={at}>
            <span class="unseen">[added: </span>
            {part.text}
            <span class="unseen">]</span>
          </ins>
        ),
      )}
    </div>
  )
}
