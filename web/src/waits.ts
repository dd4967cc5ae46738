// What waits for the user in all threads: read at first, and again when a thread begins or ceases to need somebody.
import { signal } from "@preact/signals"
import { get, Refused } from "./api"
import type { Inbox, Waits } from "./contract.gen"

export const inbox = signal<readonly Waits[] | null>(null)
let timer = 0

export async function loadInbox(): Promise<void> {
  try {
    inbox.value = (await get<Inbox>("/api/inbox")).items
  } catch (error) {
    // the list says already that the connection is gone
    if (!(error instanceof Refused)) throw error
  }
}

export function lookAgain(): void {
  clearTimeout(timer)
  timer = window.setTimeout(() => void loadInbox(), 200)
}
