// What of a text goes and what comes, word by word.
export interface Part {
  kind: "same" | "gone" | "come"
  text: string
}

const LIMIT = 1_000_000

export function words(before: string, after: string): Part[] {
  const a = before.match(/\s+|[\p{L}\p{N}]+|./gsu) ?? []
  const b = after.match(/\s+|[\p{L}\p{N}]+|./gsu) ?? []
  if (a.length * b.length > LIMIT) return join([part("gone", before), part("come", after)])
  // length of the longest common rest, from every pair of places
  const width = b.length + 1
  const rest = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      rest[i * width + j] = a[i] === b[j] ? rest[(i + 1) * width + j + 1]! + 1 : Math.max(rest[(i + 1) * width + j]!, rest[i * width + j + 1]!)
    }
  }
  const parts: Part[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      parts.push(part("same", a[i]!))
      i += 1
      j += 1
    } else if (rest[(i + 1) * width + j]! >= rest[i * width + j + 1]!) {
      parts.push(part("gone", a[i++]!))
    } else {
      parts.push(part("come", b[j++]!))
    }
  }
  while (i < a.length) parts.push(part("gone", a[i++]!))
  while (j < b.length) parts.push(part("come", b[j++]!))
  return join(parts)
}

const part = (kind: Part["kind"], text: string): Part => ({ kind, text })

// Neighbours of a kind become one; a blank between two changes belongs to them, so that phrases stay whole.
function join(parts: Part[]): Part[] {
  const out: Part[] = []
  let gone = ""
  let come = ""
  const flush = () => {
    if (gone) out.push(part("gone", gone))
    if (come) out.push(part("come", come))
    gone = come = ""
  }
  parts.forEach((one, at) => {
    if (one.kind === "gone") gone += one.text
    else if (one.kind === "come") come += one.text
    else if ((gone || come) && /^\s+$/.test(one.text) && parts[at + 1] && parts[at + 1]!.kind !== "same") {
      gone += one.text
      come += one.text
    } else {
      flush()
      out.push(one)
    }
  })
  flush()
  return out
}
