import { describe, expect, it } from "vitest"
import type { Finding, Item } from "./contract.gen"
import { calls, cut, judged, measure, place } from "./pieces"

const found = (location: string, level: Finding["level"] = "warning"): Finding => ({ rule: "R", level, message: "m", location, fix: "", path: "a" })
const item = (operation: Item["operation"]): Item => ({ path: "a", operation, standing: "open", why: "", flags: [], moved_from: "", size: 2000, was: null, is_file: true, now: "" })
const DOCX = ["--- a/a", "+++ b/a", "@@ ¶ 3 @@ change 1", "#Ann: Too long.", " due in ", "-ninety", "+thirty", " days.", "@@ footnotes, ¶ 3 @@ change 2", "+more"]
const TEXT = ["@@ -1,4 +1,4 @@ hunk 1", " a", "-b", "+c", "@@ -9 +9,2 @@ hunk 2", "+# no comment", "@@ -20,2 +21 @@ hunk 3", "-x"]
const SHEET = ["@@ 'P L'!B2 @@ change 1", "-1", "+2", "@@ 'P L'!C4 @@ change 2", "+=B2", "@@ Other!A1 @@ change 3", "+x", "@@ formats, rules, sheets and all else @@ change 4", "~widths"]

describe("pieces of a change", () => {
  it("keeps comments apart from what changes, but not lines of a text that look like some", () => {
    const [first, second] = cut(DOCX)
    expect(first).toEqual({ where: "¶ 3", lines: [" due in ", "-ninety", "+thirty", " days."], within: true, said: ["Ann: Too long."] })
    expect([second!.where, second!.said]).toEqual(["footnotes, ¶ 3", []])
    expect(cut(TEXT)[1]!.lines).toEqual(["+# no comment"])
    expect(cut(TEXT).map((piece) => place(piece.where))).toEqual(["line 1", "line 9", "line 21"])
    expect(cut(["- a: 2 bytes"])).toEqual([{ where: "", lines: ["- a: 2 bytes"], within: false, said: [] }])
  })

  it("puts a finding beside the change at its place, and nowhere else", () => {
    const at = (lines: string[], location: string) => judged(cut(lines), [found(location)]).at.findIndex((one) => one.length)
    expect(at(DOCX, "page 2, paragraph 3")).toBe(0)
    expect(at(DOCX, "paragraph 4")).toBe(-1)
    expect(at(TEXT, "line 10")).toBe(1)
    expect(at(TEXT, "line 5")).toBe(-1)
    expect(at(TEXT, "paragraph 1")).toBe(-1)
    expect(at(SHEET, "P L!C1:C9")).toBe(1)
    expect(at(SHEET, "Other!B2")).toBe(-1)
    expect(at(["@@ slide 2 “A” @@ change 1", "@@ slide 12 “B” @@ change 2"], "slide 12, title")).toBe(1)
    expect(judged(cut(DOCX), [found("")]).rest).toHaveLength(1)
    expect(calls([found("", "note"), found("", "error")])).toBe(1)
  })

  it("counts in the unit of the file's kind, and says its size where nothing can be counted", () => {
    expect(measure(item("modify"), TEXT)).toBe("3 changes")
    expect(measure(item("modify"), SHEET)).toBe("3 cells in 2 sheets")
    expect(measure(item("create"), DOCX.slice(0, 8))).toBe("1 tracked change")
    expect(measure(item("create"), ["@@ what it says @@", "+a"])).toBe("2 KB")
    expect(measure(item("modify"), undefined)).toBe("2 KB")
  })
})
