// What went wrong, for where it happened.
import { Refused } from "./api"

export const why = (error: unknown) => (error instanceof Refused ? `${error.message} ${error.hint}`.trim() : "That did not work.")
