// Words of the model as text with structure. A parser gives tokens, and only elements of our own are made of them:
// no markup of theirs, no picture that loads, no link that hides where it leads.
import { lexer, type Token, type Tokens } from "marked"
import type { ComponentChildren } from "preact"
import { useMemo } from "preact/hooks"

export function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => lexer(text), [text])
  return <div class="md">{blocks(tokens)}</div>
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
        return token.tokens ? <span key={at}>{inline(token.tokens)}</span> : token.text
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
        return <code key={at}>{token.text}</code>
      case "br":
        return <br key={at} />
      case "escape":
        return token.text
      case "link":
        return <Link key={at} href={token.href} words={token.text} />
      case "image":
        return <Link key={at} href={token.href} words={`picture: ${token.text || "no name"}`} />
      case "text":
        return token.tokens ? <span key={at}>{inline(token.tokens)}</span> : token.text
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
