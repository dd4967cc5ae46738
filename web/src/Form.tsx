// What a connector's server asks before it does a call, as a form. Its answer is the user's next message.
import { useState } from "preact/hooks"
import { post } from "./api"
import type { Blank, Made, Wanted } from "./contract.gen"
import { fail } from "./store"
import "./views.css"

export function Form({ thread, form }: { thread: string; form: Wanted }) {
  const [given, setGiven] = useState<Record<string, string>>(() => Object.fromEntries(form.blanks.map((blank) => [blank.name, blank.default])))
  const [sent, setSent] = useState(false)
  const send = async (text: string) => {
    setSent(true)
    await post<Made>(`/api/threads/${thread}/messages`, { text }).catch(fail)
    setSent(false)
  }
  const missing = form.blanks.some((blank) => blank.required && !(given[blank.name] ?? "").trim())
  const set = (name: string, value: string) => setGiven({ ...given, [name]: value })
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault()
        if (!missing) void send(form.blanks.length ? answer(form.blanks, given) : "yes")
      }}
    >
      {form.problem && (
        <p class="bad s13" role="alert">
          {form.problem}
        </p>
      )}
      {form.blanks.map((blank) => (
        <Field key={blank.name} blank={blank} value={given[blank.name] ?? ""} set={(value) => set(blank.name, value)} />
      ))}
      <p class="s13">These words come from the server. What you answer goes to it, and the call is then made again.</p>
      <div class="b wrap">
        <button class="yes" disabled={sent || missing}>
          {form.blanks.length ? "Send the answer" : "Yes"}
        </button>
        <button type="button" class="ghost" disabled={sent} onClick={() => send("decline")}>
          Don't answer
        </button>
      </div>
    </form>
  )
}

// One line for each field; a value of several lines needs the other way to write it.
function answer(blanks: readonly Blank[], given: Record<string, string>): string {
  const said = blanks.map((blank): [Blank, string] => [blank, (given[blank.name] ?? "").trim()]).filter(([, value]) => value)
  const plain = said.every(([blank, value]) => !value.includes("\n") && blank.name.trim() === blank.name && !/[:\n]/.test(blank.name))
  if (plain && said.length) return said.map(([blank, value]) => `${blank.name}: ${value}`).join("\n")
  return JSON.stringify(Object.fromEntries(said.map(([blank, value]) => [blank.name, value])))
}

function Field({ blank, value, set }: { blank: Blank; value: string; set: (value: string) => void }) {
  const id = `w-${blank.name}`
  const about = blank.about ? `${id}-about` : undefined
  const label = (
    <>
      {blank.title} {!blank.required && <span class="mut">(may be left out)</span>}
    </>
  )
  const said = blank.about && (
    <p class="mut s12" id={about}>
      {blank.about}
    </p>
  )
  if (blank.kind === "choices") {
    const chosen = value.split(",").map((one) => one.trim()).filter(Boolean)
    return (
      <fieldset>
        <legend>{label}</legend>
        {said}
        {blank.choices.map((choice) => (
          <label class="check" key={choice.value}>
            <input
              type="checkbox"
              checked={chosen.includes(choice.value)}
              onChange={(event) => set((event.currentTarget.checked ? [...chosen, choice.value] : chosen.filter((one) => one !== choice.value)).join(", "))}
            />
            {choice.label}
          </label>
        ))}
      </fieldset>
    )
  }
  const choices = blank.kind === "yes_no" ? [{ value: "yes", label: "Yes" }, { value: "no", label: "No" }] : blank.choices
  return (
    <>
      <label for={id}>{label}</label>
      {said}
      {choices.length > 0 ? (
        <select id={id} value={value} required={blank.required} aria-describedby={about} onChange={(event) => set(event.currentTarget.value)}>
          <option value="">Choose…</option>
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      ) : (
        <input id={id} value={value} required={blank.required} inputMode={blank.kind === "number" ? "decimal" : undefined} aria-describedby={about} onInput={(event) => set(event.currentTarget.value)} />
      )}
    </>
  )
}
