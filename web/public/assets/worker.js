// Keeps the page itself for when the computer it comes from is asleep. What the page shows is never kept: no /api/.
const KEPT = "page"
// a computer that is asleep may give no answer at all, not even a refusal
const PATIENCE_MS = 4000
const HASHED = /-[\w-]{8}\.\w+$/

self.addEventListener("install", (event) => event.waitUntil(fill().then(() => self.skipWaiting())))
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()))
self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request
  const { origin, pathname } = new URL(url)
  if (method !== "GET" || origin !== self.location.origin) return
  if (mode === "navigate" && pathname === "/") event.respondWith(shell(event.request))
  else if (pathname.startsWith("/assets/")) event.respondWith(asset(event.request, pathname))
})

self.addEventListener("notificationclick", (event) => {
  event.notification.close()
  event.waitUntil(look())
})

async function look() {
  const [open] = await self.clients.matchAll({ type: "window" })
  return open ? open.focus() : self.clients.openWindow("/#/inbox")
}

// all that the page needs to come up, so that one visit is enough
async function fill() {
  const kept = await caches.open(KEPT)
  const fresh = await fetch("/")
  if (!fresh.ok) throw new Error(`the page is not there: ${fresh.status}`)
  const files = [...(await fresh.clone().text()).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)]
  await kept.addAll(files.map((found) => found[1]))
  await kept.put("/", fresh)
}

async function shell(request) {
  const old = await (await caches.open(KEPT)).match("/")
  const asked = fetched(request, old?.clone())
  if (!old) return asked
  const late = new Promise((_, refuse) => setTimeout(() => refuse(new Error("no answer")), PATIENCE_MS))
  return Promise.race([asked, late]).catch(() => old)
}

async function fetched(request, old) {
  const fresh = await fetch(request)
  if (fresh.ok) {
    const text = await fresh.clone().text()
    // another build: nothing of the old one is needed, what is wanted of the new one comes as it is asked for
    if (old && (await old.text()) !== text) await caches.delete(KEPT)
    await (await caches.open(KEPT)).put("/", fresh.clone())
  }
  return fresh
}

async function asset(request, pathname) {
  const kept = await caches.open(KEPT)
  const old = await kept.match(request)
  if (old && HASHED.test(pathname)) return old
  try {
    const fresh = await fetch(request)
    if (fresh.ok) await kept.put(request, fresh.clone())
    return fresh
  } catch (error) {
    if (old) return old
    throw error
  }
}
