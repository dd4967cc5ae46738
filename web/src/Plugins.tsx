// What is installed: plugins with what each brings and may do, and the models that can be chosen.
import { post } from "./api"
import type { Made, Plugin } from "./contract.gen"
import { Alert, ArrowLeft, Shield } from "./icons"
import { desk, fail, reloadDesk, tell } from "./store"
import "./views.css"

export function View() {
  const here = desk.value
  return (
    <>
      <header class="top">
        <a class="btn icon ghost back" href="#/settings" aria-label="Back">
          <ArrowLeft />
        </a>
        <h1>Plugins and models</h1>
      </header>
      <div class="form list">
        <section aria-label="Plugins">
          <h2>Plugins</h2>
          {here?.plugins.length === 0 && (
            <p class="mut">
              None are installed. In a terminal: <code>deskmate plugin install</code>
            </p>
          )}
          <ul>
            {here?.plugins.map((plugin) => (
              <li key={plugin.name} class="line-item">
                <One plugin={plugin} />
              </li>
            ))}
          </ul>
        </section>
        <section aria-label="Models">
          <h2>Models</h2>
          <ul>
            {here?.models.map((model) => (
              <li key={model.name} class="line-item">
                <span class="head">
                  <b class="t">{model.name}</b>
                  {model.name === here.model && <span class="state good">Used unless you choose</span>}
                  {model.lacks && <span class="state warn">Cannot be used yet</span>}
                </span>
                <span class="s13 ink2">
                  {model.title}
                  {model.lacks && <> It {model.lacks}: <a href="#/welcome">give it one</a>.</>}
                </span>
              </li>
            ))}
          </ul>
        </section>
      </div>
    </>
  )
}

function One({ plugin }: { plugin: Plugin }) {
  const agree = async () => {
    try {
      await post<Made>(`/api/plugins/${encodeURIComponent(plugin.name)}/agree`, { version: plugin.version })
      await reloadDesk()
      tell(`${plugin.title}: agreed.`)
    } catch (error) {
      fail(error)
    }
  }
  return (
    <>
      <div class="head">
        <h3 class="t">
          {plugin.title} <span class="mut s12">{plugin.version}</span>
        </h3>
        {plugin.problem ? <span class="state bad">Cannot be used</span> : plugin.wants.length > 0 ? <span class="state warn">Asks for more</span> : <span class="state good">Ready</span>}
      </div>
      {plugin.problem ? (
        <p class="s13">
          <Alert class="bad" /> {plugin.problem}
        </p>
      ) : (
        <p class="s13 ink2">{plugin.summary}</p>
      )}
      {plugin.wants.length > 0 && (
        <div class="wait approval">
          <h4>{plugin.title} wants more than to work in the virtual machine</h4>
          <ul class="dots s13">
            {plugin.wants.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
          <div class="b">
            <button onClick={agree}>I agree</button>
          </div>
        </div>
      )}
      {plugin.permissions.length > 0 && (
        <details>
          <summary>
            <Shield size={14} /> What it brings and may do
          </summary>
          <ul class="dots s13">
            {plugin.permissions.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  )
}
