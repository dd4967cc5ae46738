// What its owner does to a thread without opening it: another name, a pin, the archive.
import { useState } from "preact/hooks"
import { patch } from "./api"
import type { Made, Row } from "./contract.gen"
import { Dialog } from "./Dialog"
import { fail, tell } from "./store"

export function RowMenu({ row, close }: { row: Row; close: () => void }) {
  const [words, setWords] = useState(row.title)
  const change = async (body: object, done: string) => {
    try {
      await patch<Made>(`/api/threads/${row.id}`, body)
      tell(done)
      close()
    } catch (error) {
      close()
      fail(error)
    }
  }
  return (
    <Dialog title={row.title} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (words.trim()) void change({ title: words.trim() }, "Renamed.")
        }}
      >
        <label for="row-title">Title</label>
        <div class="pathline">
          <input id="row-title" value={words} maxLength={200} onInput={(event) => setWords(event.currentTarget.value)} />
          <button disabled={!words.trim() || words.trim() === row.title}>Rename</button>
        </div>
      </form>
      <footer>
        <button onClick={() => change({ pinned: !row.pinned }, row.pinned ? "No longer pinned." : "Pinned.")}>{row.pinned ? "Unpin" : "Pin"}</button>
        <button onClick={() => change({ archived: !row.archived }, row.archived ? "Back in the list." : "Archived. Search still finds it.")}>{row.archived ? "Take out of the archive" : "Archive"}</button>
      </footer>
    </Dialog>
  )
}
