// Words of the model as text with structure. A parser gives tokens, and only elements of our own are made of them:
// no markup of theirs, no picture that loads, no link that hides where it leads.
import { lexer, type Token, type Tokens } from "marked"
import type { ComponentChildren } from "preact"
import { useMemo } from "preact/hooks"
import { Chip } from "./Chip"
import type { Cite } from "./contract.gen"

type Props = { text: string; cites?: readonly Cite[]; thread?: string }
const NONE: readonly Cite[] = []

// what the text cites, in order: each is used up by the words that name it
let left: Cite[] = []
let of = ""

export function Markdown({ text, cites = NONE, thread = "" }: Props) {
  const tokens = useMemo(() => lexer(text), [text])
  return useMemo(() => {
    left = [...cites]
    of = thread
    const shown = blocks(tokens)
    const over = left
    left = []
    return (
      <div class="md">
        {shown}
        {over.length > 0 && (
          <p class="cites">
            {over.map((cite, at) => (
              <Chip key={at} thread={thread} at={{ ...cite }}>
                {cite.label || cite.mark}
              </Chip>
            ))}
          </p>
        )}
      </div>
    )
  }, [tokens, cites, thread])
}

// words, with a chip where they name a source
function words(text: string): ComponentChildren {
  if (!left.length) return text
  const out: ComponentChildren[] = []
  let rest = text
  for (let guard = 0; left.length && guard < 200; guard += 1) {
    // the first that stands here: what stood in markup that is shown otherwise is left for the end
    let best = -1
    let at = -1
    left.slice(0, 8).forEach((cite, index) => {
      const place = rest.indexOf(cite.mark)
      if (place >= 0 && (at < 0 || place < at)) [best, at] = [index, place]
    })
    if (best < 0) break
    const cite = left.splice(best, 1)[0]!
    const chip = (
      <Chip key={out.length} thread={of} at={{ ...cite }}>
        {cite.label || cite.mark}
      </Chip>
    )
    if (cite.label) out.push(rest.slice(0, at + cite.mark.length), " ", chip)
    else out.push(rest.slice(0, at), chip)
    rest = rest.slice(at + cite.mark.length)
  }
  return out.length ? [...out, rest] : text
}

function blocks(tokens: Token[]): ComponentChildren {
  return tokens.map((token, at) => {
    switch (token.type) {
      case "heading":
        return (
          <p key={at} class="h">
            {inline(token.tokens)}
          </p>
        )
      case "paragraph":
        return <p key={at}>{inline(token.tokens)}</p>
      case "list": {
        const items = (token as Tokens.List).items.map((item, n) => <li key={n}>{blocks(item.tokens)}</li>)
        return token.ordered ? (
          <ol key={at} start={Number(token.start) || 1}>
            {items}
          </ol>
        ) : (
          <ul key={at}>{items}</ul>
        )
      }
      case "blockquote":
        return <blockquote key={at}>{blocks(token.tokens ?? [])}</blockquote>
      case "code":
        return (
          <pre key={at} tabIndex={0}>
            <code>{token.text}</code>
          </pre>
        )
      case "table":
        return <Table key={at} table={token as Tokens.Table} />
      case "hr":
        return <hr key={at} />
      case "space":
        return null
      case "text":
        return <span key={at}>{token.tokens ? inline(token.tokens) : words(token.text)}</span>
      default:
        return <p key={at}>{token.raw}</p>
    }
  })
}

function inline(tokens: Token[] | undefined): ComponentChildren {
  return tokens?.map((token, at) => {
    switch (token.type) {
      case "strong":
        return <strong key={at}>{inline(token.tokens)}</strong>
      case "em":
        return <em key={at}>{inline(token.tokens)}</em>
      case "del":
        return <s key={at}>{inline(token.tokens)}</s>
      case "codespan":
        return left[0] && left[0].mark === token.text ? <span key={at}>{words(token.text)}</span> : <code key={at}>{token.text}</code>
      case "br":
        return <br key={at} />
      case "escape":
        return token.text
      case "link":
        return <Link key={at} href={token.href} words={token.text} />
      case "image":
        return <Link key={at} href={token.href} words={`picture: ${token.text || "no name"}`} />
      case "text":
        return <span key={at}>{token.tokens ? inline(token.tokens) : words(token.text)}</span>
      default:
        return token.raw
    }
  })
}

function Link({ href, words }: { href: string; words: string }) {
  const url = safe(href)
  if (!url) return <>{words === href ? words : `${words} (${href})`}</>
  const place = url.protocol === "mailto:" ? url.pathname : url.host
  const visit = (event: MouseEvent) => {
    if (!confirm(`Open ${url.href}?\n\nThis leads away from Deskmate.`)) event.preventDefault()
  }
  return (
    <a href={url.href} target="_blank" rel="noopener noreferrer" onClick={visit}>
      {words}
      {words.includes(place) ? "" : ` (${place})`}
    </a>
  )
}

function safe(href: string): URL | null {
  try {
    const url = new URL(href)
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null
  } catch {
    return null
  }
}

function Table({ table }: { table: Tokens.Table }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>
            {table.header.map((cell, at) => (
              <th key={at}>{inline(cell.tokens)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, n) => (
            <tr key={n}>
              {row.map((cell, at) => (
                <td key={at}>{inline(cell.tokens)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
