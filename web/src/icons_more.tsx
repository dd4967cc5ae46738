// Icons that only views need which are fetched later.
import { Pause as PauseIcon, Play as PlayIcon, RefreshCw as RefreshIcon } from "lucide"
import { named } from "./icons"

export const Pause = named(PauseIcon)
export const Play = named(PlayIcon)
export const Refresh = named(RefreshIcon)
