// A modal dialog: the browser's own, which keeps the focus in and gives it back. `sheet`: on a phone it lies at the foot.
import type { ComponentChildren } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { Cross } from "./icons"

type Props = { title: string; close: () => void; wide?: boolean; sheet?: boolean; children: ComponentChildren }

export function Dialog({ title, close, wide, sheet, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null)
  const head = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    ref.current?.showModal()
    // what is asked comes before the buttons that answer it
    if (sheet) head.current?.focus()
  }, [])
  const kind = sheet ? "sheet" : wide ? "wide" : ""
  return (
    <dialog ref={ref} class={kind} aria-labelledby="dialog-title" onClose={close} onClick={(e) => e.target === ref.current && ref.current?.close()}>
      <header>
        <h2 id="dialog-title" ref={head} tabIndex={sheet ? -1 : undefined}>
          {title}
        </h2>
        <button class="icon ghost" aria-label="Close" onClick={() => ref.current?.close()}>
          <Cross />
        </button>
      </header>
      {children}
    </dialog>
  )
}
