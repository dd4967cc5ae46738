// Times, sizes and money as people write them.
export function clock(time: string): string {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
}

export function day(time: string): string {
  return new Date(time).toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" })
}

export function money(usd: number): string {
  return usd > 0 && usd < 0.01 ? "< $0.01" : `$${usd.toFixed(2)}`
}

export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

export function took(from: string, to: string): string {
  const seconds = Math.round((Date.parse(to) - Date.parse(from)) / 1000)
  if (seconds < 1) return ""
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

export const name = (path: string) => path.slice(path.lastIndexOf("/") + 1)

// a value that may be longer than its box is a stop for keys, so that it can be scrolled
export const stop = (text: string) => (text.length > 300 || text.split("\n").length > 6 ? 0 : undefined)

export const count = (many: number, one: string, more = `${one}s`) => `${many} ${many === 1 ? one : more}`

// A moment as people say it: the clock for today, else day and clock; nothing for what is no moment.
export function when(time: string): string {
  const at = new Date(time)
  if (Number.isNaN(at.getTime())) return ""
  return at.toDateString() === new Date().toDateString() ? `today, ${clock(time)}` : `${day(time)}, ${clock(time)}`
}

// Words of the server name moments in UTC; whoever reads them lives somewhere.
export const inZone = (text: string) => text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z/g, (moment) => when(moment) || moment)

// The name of a value as people write it: "reply_to" is "Reply to".
export const label = (name: string) => (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ")
