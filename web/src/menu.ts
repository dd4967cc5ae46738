// The pages around threads, in the order in which they are offered.
import { Calendar, Health, Plug, Project, Shield, Smartphone, TableMark } from "./icons"
import type { View } from "./store"

export const PLACES: [View, string, typeof Plug][] = [
  ["projects", "Projects", Project],
  ["schedules", "Schedules", Calendar],
  ["tables", "Tables", TableMark],
  ["connectors", "Connectors", Plug],
  ["plugins", "Plugins and models", Shield],
  ["phone", "Phone", Smartphone],
  ["health", "This computer", Health],
]
