// Files that go with a message: sent piece by piece as soon as they are chosen, shown until the message is sent.
import { useRef, useState } from "preact/hooks"
import { post, Refused, remove } from "./api"
import type { Made, Upload } from "./contract.gen"
import { Cross, FileText, Paperclip } from "./icons"
import { fail, spoken } from "./store"
import { size } from "./words"

const PIECE = 512 * 1024

export interface Attached {
  key: number
  name: string
  size: number
  received: number
  id: string
  problem: string
}

export interface Attachments {
  files: Attached[]
  ready: boolean
  ids: string[]
  add: (files: Iterable<File>) => void
  drop: (file: Attached) => void
  clear: () => void
}

let last = 0

export function useAttachments(): Attachments {
  const [files, setFiles] = useState<Attached[]>([])
  const gone = useRef(new Set<number>())
  const change = (key: number, what: Partial<Attached>) => setFiles((all) => all.map((one) => (one.key === key ? { ...one, ...what } : one)))
  const send = async (file: File, key: number) => {
    try {
      let upload = await post<Upload>("/api/uploads", { name: file.name, size: file.size })
      change(key, { id: upload.id, name: upload.name })
      while (upload.received < upload.size && !gone.current.has(key)) {
        const data = await encoded(file.slice(upload.received, upload.received + PIECE))
        upload = await post<Upload>(`/api/uploads/${upload.id}`, { at: upload.received, data })
        change(key, { received: upload.received })
      }
      if (gone.current.has(key)) await remove<Made>(`/api/uploads/${upload.id}`)
    } catch (error) {
      change(key, { problem: error instanceof Refused ? error.message : "It could not be read." })
      if (!(error instanceof Refused)) return
      spoken.value = error.message
    }
  }
  return {
    files,
    ready: files.every((one) => one.problem === "" && one.id !== "" && one.received === one.size),
    ids: files.filter((one) => one.problem === "").map((one) => one.id),
    add: (chosen) => {
      for (const file of chosen) {
        const key = (last += 1)
        setFiles((all) => [...all, { key, name: file.name, size: file.size, received: 0, id: "", problem: "" }])
        void send(file, key)
      }
    },
    drop: (file) => {
      gone.current.add(file.key)
      setFiles((all) => all.filter((one) => one !== file))
      if (file.id && file.received === file.size) remove<Made>(`/api/uploads/${file.id}`).catch(fail)
    },
    clear: () => setFiles([]),
  }
}

function encoded(piece: Blob): Promise<string> {
  return new Promise((done, failed) => {
    const reader = new FileReader()
    reader.onload = () => done(String(reader.result).replace(/^[^,]*,?/, ""))
    reader.onerror = () => failed(reader.error)
    reader.readAsDataURL(piece)
  })
}

export function AttachButton({ to, disabled, why }: { to: Attachments; disabled?: boolean; why?: string }) {
  const field = useRef<HTMLInputElement>(null)
  return (
    <>
      <button type="button" class="icon ghost" aria-label="Attach files" title={why} disabled={disabled} onClick={() => field.current?.click()}>
        <Paperclip />
      </button>
      <input
        ref={field}
        type="file"
        multiple
        hidden
        aria-label="Files to attach"
        onChange={(event) => {
          to.add([...(event.currentTarget.files ?? [])])
          event.currentTarget.value = ""
        }}
      />
    </>
  )
}

export function AttachedFiles({ of: { files, drop } }: { of: Attachments }) {
  if (!files.length) return null
  return (
    <ul class="attached" aria-label="Attached files">
      {files.map((file) => (
        <li key={file.key} class={file.problem ? "bad" : ""}>
          <FileText size={14} />
          <span class="t">
            {file.name}
            <span class="mut s12"> {file.problem || (file.received < file.size ? `${Math.floor((100 * file.received) / file.size)} %` : size(file.size))}</span>
          </span>
          <button type="button" class="icon ghost sm" aria-label={`Remove ${file.name}`} onClick={() => drop(file)}>
            <Cross size={14} />
          </button>
        </li>
      ))}
    </ul>
  )
}
