// Ctrl K: a thread by its title, or by any word in it.
import { useEffect, useRef, useState } from "preact/hooks"
import { get } from "./api"
import type { Finds, Found } from "./contract.gen"
import { Dialog } from "./Dialog"
import { fail, go, rows, searching } from "./store"
import { day } from "./words"

export function Search() {
  const [words, setWords] = useState("")
  const [hits, setHits] = useState<readonly Found[] | null>(null)
  const latest = useRef("")
  useEffect(() => {
    latest.current = words
    if (!/\p{L}|\p{N}/u.test(words)) {
      setHits(null)
      return
    }
    const timer = setTimeout(() => {
      get<Finds>(`/api/search?q=${encodeURIComponent(words)}`)
        .then((found) => latest.current === words && setHits(found.hits))
        .catch(fail)
    }, 150)
    return () => clearTimeout(timer)
  }, [words])
  const close = () => (searching.value = false)
  const pick = (thread: string) => {
    close()
    go(`/t/${thread}`)
  }
  const low = words.trim().toLowerCase()
  const titled = rows.value.filter((row) => row.title.toLowerCase().includes(low)).slice(0, 8)
  const keys = (event: KeyboardEvent) => {
    const items = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>(".hit")]
    const at = items.indexOf(document.activeElement as HTMLElement)
    if (event.key === "ArrowDown") items[Math.min(at + 1, items.length - 1)]?.focus()
    else if (event.key === "ArrowUp") (at > 0 ? items[at - 1] : document.getElementById("words"))?.focus()
    else if (event.key === "Enter" && at < 0) items[0]?.click()
    else return
    event.preventDefault()
  }
  return (
    <Dialog title="Search all threads" close={close} wide>
      <div onKeyDown={keys}>
        <label class="unseen" for="words">
          Words to look for
        </label>
        <input id="words" type="search" autoFocus placeholder="Words in any thread, or a title" value={words} onInput={(e) => setWords(e.currentTarget.value)} />
        <div class="hits">
          {titled.map((row) => (
            <button key={row.id} class="hit" onClick={() => pick(row.id)}>
              <b>{row.title}</b>
              <span class="mut s12">{row.fact || day(row.changed)}</span>
            </button>
          ))}
          {hits?.map((hit) => (
            <button key={`${hit.thread}${hit.seq}`} class="hit" onClick={() => pick(hit.thread)}>
              <b>{hit.title}</b>
              <span class="s13 ink2">{marked(hit.snippet)}</span>
            </button>
          ))}
          {hits?.length === 0 && titled.length === 0 && <p class="mut">Found nothing. Try fewer words, or the beginning of one.</p>}
        </div>
      </div>
    </Dialog>
  )
}

function marked(snippet: string) {
  return snippet.split(/⟦(.*?)⟧/).map((part, at) => (at % 2 ? <mark key={at}>{part}</mark> : part))
}
