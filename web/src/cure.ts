// What this computer lacks, and doing something about it: it may take minutes, so that its lines are read while it goes on.
import { useEffect, useState } from "preact/hooks"
import { get, post } from "./api"
import type { CheckRow, Curing, Health } from "./contract.gen"
import { fail, tell } from "./store"

const OFTEN_MS = 1000

export function useHealth() {
  const [found, setFound] = useState<Health | null>(null)
  const [busy, setBusy] = useState("")
  const [line, setLine] = useState("")
  const look = async () => {
    setBusy("look")
    await get<Health>("/api/health").then(setFound, fail)
    setBusy("")
  }
  // a cure that was begun before this view was opened goes on
  const resume = () =>
    get<Curing>("/api/health/cure").then((now) => {
      if (now.name) setBusy(now.name)
      setLine(now.line)
      return now.name
    })
  useEffect(() => {
    void look().then(resume).catch(fail)
  }, [])
  useEffect(() => {
    if (busy === "" || busy === "look") return
    const timer = setInterval(() => {
      resume().then(
        (name) => {
          if (!name) void look()
        },
        () => undefined,
      )
    }, OFTEN_MS)
    return () => clearInterval(timer)
  }, [busy])
  const cure = async (check: CheckRow) => {
    setBusy(check.name)
    setLine("")
    try {
      const after = await post<Health>("/api/health/cure", { name: check.name })
      setFound(after)
      tell(after.did)
    } catch (error) {
      fail(error)
    }
    setBusy("")
    setLine("")
  }
  return { found, busy, line, look, cure }
}
