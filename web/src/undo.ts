// Taking back what was applied, from the transcript and from the review alike.
import { post } from "./api"
import type { Written } from "./contract.gen"
import { catchUp, fail, tell } from "./store"
import { count } from "./words"

export async function undo(thread: string, plan: string): Promise<void> {
  try {
    const done = await post<Written>(`/api/threads/${thread}/changes/undo`, { plan })
    tell(`${count(done.written.length, "file")} as before.`)
    await catchUp()
  } catch (error) {
    fail(error)
  }
}
