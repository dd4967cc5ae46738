// A modal dialog: the browser's own, which keeps the focus in and gives it back.
import type { ComponentChildren } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { Cross } from "./icons"

type Props = { title: string; close: () => void; wide?: boolean; children: ComponentChildren }

export function Dialog({ title, close, wide, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    ref.current?.showModal()
  }, [])
  return (
    <dialog ref={ref} class={wide ? "wide" : ""} aria-labelledby="dialog-title" onClose={close} onClick={(e) => e.target === ref.current && ref.current?.close()}>
      <header>
        <h2 id="dialog-title">{title}</h2>
        <button class="icon ghost" aria-label="Close" onClick={() => ref.current?.close()}>
          <Cross />
        </button>
      </header>
      {children}
    </dialog>
  )
}
