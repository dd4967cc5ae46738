// How one file changes, piece by piece, words against words, each with its reason; or how its pages will look.
import { useMemo, useState } from "preact/hooks"
import type { Finding, Item, Shown } from "./contract.gen"
import { Check, Download, Info } from "./icons"
import { isSeen, Pages } from "./Pages"
import { calls, cut, judged, place, type Piece } from "./pieces"
import { isBook } from "./kinds"
import { name } from "./words"
import { words, type Part } from "./worddiff"

type Props = {
  thread: string
  run: string
  item: Item
  shown: Shown | string | undefined
  findings: readonly Finding[]
  out: boolean
  left: string[]
  frozen: boolean
  toggleFile: () => void
  togglePart: (id: string, all: string[]) => void
}

export function Diff({ thread, run, item, shown, findings, out, left, frozen, toggleFile, togglePart }: Props) {
  const [page, setPage] = useState(false)
  const pieces = useMemo(() => (typeof shown === "object" ? cut(shown.lines) : []), [shown])
  const found = useMemo(() => judged(pieces, findings), [pieces, findings])
  const fixed = frozen || item.standing !== "open"
  const ids = typeof shown === "object" ? shown.hunks : []
  const alone = ids.length > 1 && ids.length === pieces.length
  const pictured = isSeen(item.path) && item.size !== null
  return (
    <div class="df">
      <div class="hd">
        <h2>{name(item.path)}</h2>
        {pictured && (
          <div class="seg two" role="group" aria-label={`How ${name(item.path)} is shown`}>
            <button class={page ? "" : "on"} aria-pressed={!page} onClick={() => setPage(false)}>
              {isBook(item.path) ? "Cells" : "Redline"}
            </button>
            <button class={page ? "on" : ""} aria-pressed={page} onClick={() => setPage(true)}>
              Page
            </button>
          </div>
        )}
      </div>
      <div class="hd">
        {item.size !== null && (
          <a class="btn sm ghost take" href={`/api/threads/${thread}/changes/file?run=${run}&path=${encodeURIComponent(item.path)}`} download={name(item.path)}>
            <Download size={13} /> Download
          </a>
        )}
        {!fixed && <KeepOut keep={!out} toggle={toggleFile} what={name(item.path)} />}
      </div>
      {found.rest.map((finding, at) => (
        <Found key={at} finding={finding} />
      ))}
      {page && pictured && <Pages key={`${run} ${item.path}`} thread={thread} run={run} item={item} />}
      {!page && shown === undefined && <div class="bone late" />}
      {!page && typeof shown === "string" && <p class="s13 mut">{shown}</p>}
      {!page &&
        pieces.map((piece, at) => {
          const id = ids[at] ?? ""
          const kept = !out && !left.includes(id)
          const done = typeof shown === "object" && shown.applied.includes(id)
          const notes = found.at[at] ?? []
          return (
            <section class={`pg${kept || fixed ? "" : " out"}${calls(notes) ? " due" : ""}`} key={at} tabIndex={0} data-piece aria-label={`Change ${at + 1} of ${pieces.length}`}>
              <Lines piece={piece} />
              <div class="lab">
                <span class="t">
                  <Why piece={piece} findings={notes} />
                  <span class="mut s12 line">{titled(piece.where, at, pieces.length)}</span>
                </span>
                {done ? <span class="x ok">Applied</span> : alone && !fixed && <KeepOut keep={kept} toggle={() => togglePart(id, ids)} what={`change ${at + 1}`} />}
              </div>
            </section>
          )
        })}
    </div>
  )
}

// The reason for a change: what a check found there, and the comments that came with it.
function Why({ piece, findings }: { piece: Piece; findings: readonly Finding[] }) {
  return (
    <>
      {findings.map((finding, at) => (
        <span key={`f${at}`} class={`line${finding.level === "note" ? "" : " attention"}`}>
          {finding.message} {finding.fix}
        </span>
      ))}
      {piece.said.map((text, at) => (
        <span key={at} class="line said">
          {text}
        </span>
      ))}
    </>
  )
}

function Found({ finding }: { finding: Finding }) {
  return (
    <p class={`found s13${finding.level === "note" ? "" : " due"}`}>
      <Info size={14} />
      <span>
        {finding.message}
        {finding.location && <span class="mut"> {finding.location}</span>} {finding.fix}
      </span>
    </p>
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

function titled(where: string, at: number, of: number): string {
  const words = place(where)
  return of > 1 ? `Change ${at + 1} of ${of}${words ? `: ${words}` : ""}` : words
}

function Lines({ piece: { lines, within } }: { piece: Piece }) {
  const out = []
  for (let at = 0; at < lines.length; ) {
    const gone: string[] = []
    const come: string[] = []
    while (lines[at]?.startsWith("-")) gone.push(lines[at++]!.slice(1))
    while (lines[at]?.startsWith("+")) come.push(lines[at++]!.slice(1))
    if (gone.length || come.length) {
      out.push(<Changed key={at} gone={gone.join("\n")} come={come.join("\n")} within={within} />)
    } else {
      const line = lines[at++]!
      const text = line.startsWith(" ") || line.startsWith("~") ? line.slice(1) || "\u00a0" : line
      out.push(within && line.startsWith(" ") ? <span key={at}>{text}</span> : <div key={at}>{text}</div>)
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

function Changed({ gone, come, within }: { gone: string; come: string; within: boolean }) {
  const parts: Part[] = words(gone, come)
  const shown = parts.map((part, at) =>
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
  )
  return within ? <span>{shown}</span> : <div>{shown}</div>
}
