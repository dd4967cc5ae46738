// What a run wants to change: look at each, keep it or leave it out, and write what is kept, all or nothing.
import { useEffect, useRef, useState } from "preact/hooks"
import { get, post, Refused } from "./api"
import type { Changes, Differences, Finding, Made, Shown, Written } from "./contract.gen"
import "./details.css"
import { Diff } from "./Diff"
import { FileLine, type Won } from "./FileLine"
import { CircleCheck, Info, Shield, Undo } from "./icons"
import { isPicture } from "./Pages"
import { calls, measure } from "./pieces"
import { catchUp, fail, go, keep, recall, tell } from "./store"
import { undo } from "./undo"
import { clock, count, day } from "./words"

type Props = { thread: string; set: Changes | null; busy: boolean; findings: readonly Finding[] }
type Out = { files: string[]; parts: Record<string, string[]> }
// Files that are compared before anybody looks at them, for their numbers in the list: a document takes a machine each.
const AHEAD = 12

export function Review({ thread, set, busy, findings }: Props) {
  const stored = `out:${thread}:${set?.run}`
  const [out, setOut] = useState<Out>(() => JSON.parse(recall(stored) ?? '{"files":[],"parts":{}}') as Out)
  const [at, setAt] = useState("")
  const [shown, setShown] = useState<Record<string, Shown | string>>({})
  const [doing, setDoing] = useState(false)
  const [allowed, setAllowed] = useState<string[]>([])
  const [losses, setLosses] = useState("")
  const [turn, setTurn] = useState(0)
  const [won, setWon] = useState<Record<string, Won>>({})
  const asked = useRef(new Set<string>())
  const under = useRef(0)
  const moved = new Set(set?.items.map((item) => item.moved_from).filter(Boolean))
  const items = (set?.items ?? []).filter((item) => !moved.has(item.path))
  const files = items.filter((item) => item.is_file)
  const path = files.some((item) => item.path === at) ? at : (files.find((item) => item.standing === "open") ?? files[0])?.path ?? ""
  useEffect(() => {
    if (!set?.run) return
    const ahead = () => files.slice(0, AHEAD).find((item) => !asked.current.has(item.path) && item.size !== null && !isPicture(item.path))?.path
    const next = path && !asked.current.has(path) ? path : under.current ? "" : ahead()
    if (!next) return
    asked.current.add(next)
    under.current += 1
    const found = (what: Shown | string) => {
      under.current -= 1
      setShown((was) => ({ ...was, [next]: what }))
    }
    get<Differences>(`/api/threads/${thread}/changes/differences?run=${set.run}&path=${encodeURIComponent(next)}`)
      .then(({ changes }) => found(changes[0] ?? "Nothing to show."))
      .catch((error) => found(error instanceof Refused ? error.message : "That did not work."))
  }, [path, set?.run, turn, shown])
  if (!set) return <div class="late pad"><div class="bone" /><div class="bone" /></div>
  const change = (next: Out) => {
    setOut(next)
    keep(stored, next.files.length || Object.keys(next.parts).length ? JSON.stringify(next) : "")
  }
  const toggleFile = (one: string) => {
    const parts = { ...out.parts }
    delete parts[one]
    change({ files: out.files.includes(one) ? out.files.filter((other) => other !== one) : [...out.files, one], parts })
  }
  const togglePart = (one: string, id: string, all: string[]) => {
    const was = out.files.includes(one) ? all : (out.parts[one] ?? [])
    const left = was.includes(id) ? was.filter((other) => other !== id) : [...was, id]
    const parts = { ...out.parts }
    delete parts[one]
    const whole = left.length === all.length
    change({
      files: whole ? [...new Set([...out.files, one])] : out.files.filter((other) => other !== one),
      parts: whole || !left.length ? parts : { ...parts, [one]: left },
    })
  }
  const open = items.filter((item) => item.standing === "open" || (item.standing === "protected" && allowed.includes(item.path)))
  const taken = open.filter((item) => !out.files.includes(item.path))
  const settled = items.filter((item) => item.standing === "conflict" && won[item.path])
  const conflicts = items.filter((item) => item.standing === "conflict" && item.is_file)
  const named = (which: Won) => settled.filter((item) => won[item.path] === which)
  const written = [...taken, ...named("theirs"), ...named("both")]
  const live = set.discarded ? [] : [...open, ...conflicts]
  const act = async (work: () => Promise<void>) => {
    setDoing(true)
    try {
      await work()
      await catchUp()
    } catch (error) {
      fail(error)
    }
    setDoing(false)
  }
  const apply = () =>
    act(async () => {
      const hunks: Record<string, string[]> = {}
      for (const [one, left] of Object.entries(out.parts)) {
        const looks = shown[one]
        if (typeof looks === "object") hunks[one] = looks.hunks.filter((id) => !left.includes(id) && !looks.applied.includes(id))
      }
      const done = await post<Written>(`/api/threads/${thread}/changes/apply`, {
        run: set.run,
        leave_out: out.files,
        hunks,
        allow_protected: allowed,
        overwrite: Object.fromEntries(named("theirs").map((item) => [item.path, item.now])),
        beside: named("both").map((item) => item.path),
        yours: named("yours").map((item) => item.path),
        ...(losses ? { confirm_deletes: Number(losses) } : {}),
      })
      const left = Object.keys(done.left_out).length
      tell(`${count(done.written.length, "file")} written.${left ? ` ${count(left, "file")} changed meanwhile and stayed as it is.` : ""}`)
      asked.current.clear()
      setShown({})
      setTurn(turn + 1)
      change({ files: [], parts: {} })
      setWon({})
    })
  const discard = () =>
    confirm("Throw these changes away? Your folders stay as they are.") &&
    act(async () => {
      await post<Made>(`/api/threads/${thread}/changes/discard`, { run: set.run })
      tell("Discarded.")
    })
  const keys = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test((event.target as HTMLElement).tagName)) return
    const pieces = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[data-piece]")]
    const here = pieces.indexOf((document.activeElement as HTMLElement)?.closest("[data-piece]") as HTMLElement)
    if (event.key === "j") pieces[Math.min(here + 1, pieces.length - 1)]?.focus()
    else if (event.key === "k") pieces[Math.max(here - 1, 0)]?.focus()
    else if (event.key === "x") pieces[here]?.querySelector<HTMLElement>("[data-toggle]")?.click()
    else return
    event.preventDefault()
  }
  const askForEdits = () => {
    go(`/t/${thread}`)
    // the details may lie over it, on a phone
    setTimeout(() => document.getElementById("say")?.focus())
  }
  const of = (one: string) => findings.filter((finding) => finding.path === one)
  const past = set.past.at(-1)
  const bulk = /confirm-deletes (\d+)/
  return (
    <div class="review" onKeyDown={keys}>
      <div class="scrolls">
        <p class="safe">
          <Shield />
          <span>
            {live.length
              ? "Nothing in your folder has changed yet. You can undo after you apply."
              : past && !past.undone
                ? `${past.undoes.length ? "Undone" : "Applied"} ${day(past.time)}, ${clock(past.time)}. Earlier versions are kept.`
                : set.discarded
                  ? "These changes were discarded. Your folder is as it was."
                  : "Nothing waits to be written."}
          </span>
        </p>
        {set.errors > 0 && live.length > 0 && (
          <p class="safe bad">
            <Info />
            <span>The output checks found {count(set.errors, "error")} in these files. Do not rely on them.</span>
          </p>
        )}
        {items.length > 0 && (
          <ul class="fl" aria-label="Changed files">
            {items.map((item) => (
              <FileLine
                key={item.path}
                item={item}
                on={item.path === path}
                out={out.files.includes(item.path)}
                parts={out.parts[item.path]?.length ?? 0}
                size={measure(item, linesOf(shown[item.path]))}
                due={item.standing === "open" ? calls(of(item.path)) : 0}
                allowed={allowed.includes(item.path)}
                won={won[item.path]}
                choose={(which) => setWon({ ...won, [item.path]: which })}
                look={() => setAt(item.path)}
                allow={() => setAllowed(allowed.includes(item.path) ? allowed.filter((one) => one !== item.path) : [...allowed, item.path])}
              />
            ))}
          </ul>
        )}
        {path && (
          <Diff
            thread={thread}
            run={set.run}
            item={files.find((item) => item.path === path)!}
            shown={shown[path]}
            findings={of(path)}
            out={out.files.includes(path)}
            left={out.parts[path] ?? []}
            frozen={set.discarded || busy}
            toggleFile={() => toggleFile(path)}
            togglePart={(id, all) => togglePart(path, id, all)}
          />
        )}
        {Object.entries(set.refused).map(([one, why]) => (
          <p class="pad bad s13" key={one}>
            {one} was not taken: {why}
          </p>
        ))}
        {items.length === 0 && <p class="pad mut">When a run has changed files, they are here to review.</p>}
      </div>
      <footer class="apply">
        {live.length > 0 ? (
          <>
            {taken.some((item) => item.operation === "delete") && (
              <label class="s13 losing">
                Files that may go
                <input inputMode="numeric" size={4} value={losses} placeholder="0" onInput={(e) => setLosses(e.currentTarget.value.replace(/\D/g, ""))} aria-describedby="losing" />
                <span id="losing" class="unseen">
                  Only asked for when many files would be deleted: type their number
                </span>
              </label>
            )}
            <button class="pri" disabled={doing || busy || written.length + settled.length === 0} onClick={apply}>
              {doing ? "Writing…" : written.length || !settled.length ? `Apply ${count(written.filter((item) => item.is_file).length || written.length, "file")}` : "Keep yours"}
            </button>
            <button disabled={doing} onClick={askForEdits}>
              Ask for edits
            </button>
            <button class="ghost" disabled={doing || busy} onClick={discard}>
              Discard
            </button>
          </>
        ) : past && !past.undone ? (
          <>
            <span class="t s13">
              <CircleCheck class="ok" /> {past.undoes.length ? "Undone" : "Applied"} {clock(past.time)}
            </span>
            <button disabled={busy || doing} onClick={() => act(() => undo(thread, past.plan))}>
              <Undo size={14} /> {past.undoes.length ? "Redo" : "Undo"}
            </button>
          </>
        ) : (
          <span class="mut s13">{bulk.test("") ? "" : "Nothing to apply."}</span>
        )}
      </footer>
    </div>
  )
}

const linesOf = (shown: Shown | string | undefined) => (typeof shown === "object" ? shown.lines : undefined)
