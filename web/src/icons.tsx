// The icons of the page, in one size and weight; they never stand without words, so they are hidden from readers.
import { h } from "preact"
import {
  type IconNode,
  ArrowLeft as ArrowLeftIcon,
  ArrowUp as ArrowUpIcon,
  CalendarClock as CalendarIcon,
  Check as CheckIcon,
  ChevronRight as ChevronRightIcon,
  Circle as CircleIcon,
  CircleAlert as AlertIcon,
  CircleCheck as CircleCheckIcon,
  Download as DownloadIcon,
  Ellipsis as EllipsisIcon,
  FileText as FileTextIcon,
  Folder as FolderIcon,
  FolderKanban as ProjectIcon,
  GitFork as ForkIcon,
  Hand as HandIcon,
  HeartPulse as HealthIcon,
  Inbox as InboxIcon,
  Info as InfoIcon,
  ListChecks as ListChecksIcon,
  LoaderCircle as LoaderIcon,
  Lock as LockIcon,
  MessageSquare as MessageSquareIcon,
  Paperclip as PaperclipIcon,
  Plug as PlugIcon,
  Plus as PlusIcon,
  Search as SearchIcon,
  Settings2 as Settings2Icon,
  ShieldCheck as ShieldIcon,
  Sheet as SheetIcon,
  Smartphone as SmartphoneIcon,
  Square as SquareIcon,
  SquarePen as PenIcon,
  Table2 as TableIcon,
  Undo2 as UndoIcon,
  X as XIcon,
} from "lucide"

type Props = { class?: string; size?: number }

export function named(icon: IconNode) {
  return ({ class: extra = "", size = 16 }: Props) => (
    <svg
      class={`i ${extra}`}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {icon.map(([tag, attributes]) => h(tag, attributes as object))}
    </svg>
  )
}

export const ArrowLeft = named(ArrowLeftIcon)
export const ArrowUp = named(ArrowUpIcon)
export const Check = named(CheckIcon)
export const ChevronRight = named(ChevronRightIcon)
export const Alert = named(AlertIcon)
export const Circle = named(CircleIcon)
export const CircleCheck = named(CircleCheckIcon)
export const Download = named(DownloadIcon)
export const Ellipsis = named(EllipsisIcon)
export const FileText = named(FileTextIcon)
export const Folder = named(FolderIcon)
export const Fork = named(ForkIcon)
export const Hand = named(HandIcon)
export const Inbox = named(InboxIcon)
export const Info = named(InfoIcon)
export const ListChecks = named(ListChecksIcon)
export const Loader = named(LoaderIcon)
export const Lock = named(LockIcon)
export const MessageSquare = named(MessageSquareIcon)
export const Plus = named(PlusIcon)
export const Search = named(SearchIcon)
export const Settings2 = named(Settings2Icon)
export const Shield = named(ShieldIcon)
export const Sheet = named(SheetIcon)
export const Square = named(SquareIcon)
export const PenSquare = named(PenIcon)
export const Undo = named(UndoIcon)
export const Cross = named(XIcon)
export const Calendar = named(CalendarIcon)
export const Project = named(ProjectIcon)
export const Health = named(HealthIcon)
export const Plug = named(PlugIcon)
export const TableMark = named(TableIcon)
export const Paperclip = named(PaperclipIcon)
export const Smartphone = named(SmartphoneIcon)
