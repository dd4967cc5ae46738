// Cells of a sheet by their names, such as B7 and B2:C9.
export interface Area {
  top: number
  left: number
  bottom: number
  right: number
}

export function letters(column: number): string {
  return column > 0 ? letters(Math.floor((column - 1) / 26)) + String.fromCharCode(65 + ((column - 1) % 26)) : ""
}

export function area(cells: string): Area | undefined {
  const ends = cells.toUpperCase().replace(/\$/g, "").split(":").map((one) => /^([A-Z]{1,3})(\d{1,7})$/.exec(one.trim()))
  if (!ends.length || ends.length > 2 || ends.some((end) => !end)) return undefined
  const rows = ends.map((end) => Number(end![2]))
  const columns = ends.map((end) => [...end![1]!].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0))
  return { top: Math.min(...rows), bottom: Math.max(...rows), left: Math.min(...columns), right: Math.max(...columns) }
}
