import {
  CheckCheck,
  Hourglass,
  Inbox,
  ScanEye,
  Sparkles,
  UserRound,
  UserRoundX,
  type LucideIcon,
} from "lucide-react";
import type { Handoff, Status, Ticket } from "../api/types";

/** What a list is narrowed to. */
export interface Filter {
  view: ViewId;
  q: string;
  channel: string;
}

interface Query {
  status?: Status[];
  handoff?: Handoff[];
  assignee?: "me" | "none";
}

interface View {
  icon: LucideIcon;
  query: Query;
}

const UNFINISHED: Status[] = ["open", "pending"];

/** The lists that everybody has, in the order of the sidebar. Their names are `view.<id>` in the catalogue. */
export const VIEWS = {
  open: { icon: Inbox, query: { status: UNFINISHED } },
  queue: { icon: Hourglass, query: { status: UNFINISHED, handoff: ["queue"] } },
  review: { icon: ScanEye, query: { status: UNFINISHED, handoff: ["review"] } },
  mine: { icon: UserRound, query: { status: UNFINISHED, assignee: "me" } },
  unassigned: { icon: UserRoundX, query: { status: UNFINISHED, assignee: "none" } },
  ai: { icon: Sparkles, query: { status: UNFINISHED, handoff: ["ai"] } },
  resolved: { icon: CheckCheck, query: { status: ["resolved", "closed"] } },
} as const satisfies Record<string, View>;

export type ViewId = keyof typeof VIEWS;

export const VIEW_IDS = Object.keys(VIEWS) as ViewId[];

export function viewId(text: string | undefined): ViewId {
  return VIEW_IDS.find((id) => id === text) ?? "open";
}

export function listQuery(filter: Filter) {
  const view: Query = VIEWS[filter.view].query;
  return {
    ...view,
    ...(filter.q ? { q: filter.q } : {}),
    ...(filter.channel ? { channel: filter.channel } : {}),
  };
}

/** Most recently active first, as the server sorts. */
export function byActivity(a: Ticket, b: Ticket): number {
  return Date.parse(b.activity_at) - Date.parse(a.activity_at) || (a.id < b.id ? 1 : -1);
}
