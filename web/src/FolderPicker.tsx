// Folders of the computer that Deskmate runs on: a browser cannot hand over a path, so the server shows them.
import { useEffect, useState } from "preact/hooks"
import { get } from "./api"
import type { Listing } from "./contract.gen"
import { Dialog } from "./Dialog"
import { Refused } from "./api"
import { Folder } from "./icons"
import { count } from "./words"

type Props = { start: string; pick: (path: string) => void; close: () => void }

export function FolderPicker({ start, pick, close }: Props) {
  const [path, setPath] = useState(start)
  const [typed, setTyped] = useState(start)
  const [listing, setListing] = useState<Listing | null>(null)
  const [problem, setProblem] = useState("")
  useEffect(() => {
    let wanted = true
    const before = typed
    look(path).then((found) => {
      if (!wanted || !found) return
      setListing(found)
      // what somebody typed meanwhile stays: it is the folder that they mean
      setTyped((now) => (now === before ? found.path : now))
    })
    return () => {
      wanted = false
    }
  }, [path])
  async function look(place: string): Promise<Listing | null> {
    try {
      const found = await get<Listing>(`/api/folders?path=${encodeURIComponent(place)}`)
      setProblem("")
      return found
    } catch (error) {
      setProblem(error instanceof Refused ? error.message : "That did not work.")
      return null
    }
  }
  // what stands in the field counts, also where nobody pressed Go
  async function use() {
    const found = typed === listing?.path ? listing : await look(typed)
    if (found) pick(found.path)
  }
  return (
    <Dialog title="Choose a folder" close={close} wide>
      <form
        class="pathline"
        onSubmit={(event) => {
          event.preventDefault()
          setPath(typed)
        }}
      >
        <label class="unseen" for="path">
          Path of the folder
        </label>
        <input id="path" value={typed} onInput={(e) => setTyped(e.currentTarget.value)} spellcheck={false} />
        <button>Go</button>
      </form>
      {problem && (
        <p class="bad" role="alert">
          {problem}
        </p>
      )}
      <ul class="folders" aria-label="Folders">
        {listing?.parent && (
          <li>
            <button class="hit" onClick={() => setPath(listing.parent)}>
              <Folder /> Up to {listing.parent}
            </button>
          </li>
        )}
        {listing?.folders.map((place) => (
          <li key={place.path}>
            <button class="hit" onClick={() => setPath(place.path)}>
              <Folder /> {place.name}
            </button>
          </li>
        ))}
      </ul>
      <footer>
        <span class="mut s13">
          {listing && `${count(listing.folders.length, "folder")}, ${count(listing.files, "file")}`}
        </span>
        <button class="pri" disabled={!listing} onClick={use}>
          Use this folder
        </button>
      </footer>
    </Dialog>
  )
}
