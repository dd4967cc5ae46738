// One event stream a browser: the tab that holds the lock listens and tells the others.
import type { Message } from "./contract.gen"
import { apply, connection, load } from "./store"

let last = ""
let pending: Message[] = []

function take(id: string, message: Message): void {
  last = id
  pending.push(message)
  if (pending.length === 1) {
    // many pieces a frame become one change of the page; a hidden tab has no frames
    const soon = document.hidden ? (run: () => void) => setTimeout(run, 50) : requestAnimationFrame
    soon(() => {
      const messages = pending
      pending = []
      messages.forEach(apply)
    })
  }
}

export function listen(): void {
  const channel = new BroadcastChannel("deskmate")
  channel.onmessage = ({ data }) => {
    if (data.id) take(data.id, data.message)
    else connection.value = data.connection
  }
  const lead = () =>
    new Promise<void>((end) => {
      let source: EventSource
      let lost = 0
      const say = (state: "live" | "lost") => {
        if (connection.value === state) return
        connection.value = state
        channel.postMessage({ connection: state })
      }
      const connect = () => {
        source = new EventSource(`/api/events?after=${encodeURIComponent(last)}`)
        source.onopen = () => {
          lost = 0
          say("live")
        }
        source.onmessage = (event) => {
          const message = JSON.parse(event.data) as Message
          channel.postMessage({ id: event.lastEventId, message })
          take(event.lastEventId, message)
        }
        source.onerror = () => {
          say("lost")
          if (source.readyState !== EventSource.CLOSED) return
          // refused rather than broken off: signed out, or another server; loading tells which
          lost += 1
          setTimeout(() => {
            if (connection.value === "signed out") end()
            else void load().then(connect)
          }, Math.min(1000 * lost, 10_000))
        }
      }
      connect()
    })
  if (navigator.locks) void navigator.locks.request("deskmate-stream", lead)
  else void lead()
}
