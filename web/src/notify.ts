// A notice of the system while the page is open but not looked at: that something waits, never what.
import { inbox } from "./waits"
import { count } from "./words"

export const possible = () => "Notification" in window && "serviceWorker" in navigator

export async function tell(): Promise<void> {
  if (!possible() || Notification.permission !== "granted") return
  const worker = await navigator.serviceWorker.ready
  // one notice however many tabs are open
  await worker.showNotification("Deskmate", { body: `${count(inbox.value?.length ?? 0, "thing waits", "things wait")} for you.`, tag: "waits", icon: "/assets/icon-192.png" })
}
