// Fields of RFC 4180: quotes may hold the mark, line ends, and doubled quotes.
export function fields(text: string, mark: string): string[][] {
  const rows: string[][] = [[]]
  let field = ""
  let quoted = false
  const end = () => {
    rows[rows.length - 1]!.push(field)
    field = ""
  }
  for (let at = 0; at < text.length; at += 1) {
    const one = text[at]!
    if (quoted) {
      if (one !== '"') field += one
      else if (text[at + 1] === '"') {
        field += one
        at += 1
      } else quoted = false
    } else if (one === '"' && field === "") quoted = true
    else if (one === mark) end()
    else if (one === "\n") {
      end()
      rows.push([])
    } else if (one !== "\r") field += one
  }
  if (field || rows[rows.length - 1]!.length) end()
  else rows.pop()
  return rows
}
