// What waits for the user in all threads: read at first, and again when a thread begins or ceases to need somebody.
import { signal } from "@preact/signals"
import { get, Refused } from "./api"
import type { Inbox, Waits } from "./contract.gen"
import { recall } from "./kept"

export const inbox = signal<readonly Waits[] | null>(null)
export const NOTICES = "notices"
let timer = 0

export async function loadInbox(): Promise<void> {
  try {
    const { items } = await get<Inbox>("/api/inbox")
    const was = inbox.value
    inbox.value = items
    const fresh = was && items.some((item) => !was.some((one) => one.id === item.id))
    if (fresh && document.hidden && recall(NOTICES)) void import("./notify").then(({ tell }) => tell()).catch(() => undefined)
  } catch (error) {
    // the list says already that the connection is gone
    if (!(error instanceof Refused)) throw error
  }
}

export function lookAgain(): void {
  clearTimeout(timer)
  timer = window.setTimeout(() => void loadInbox(), 200)
}
