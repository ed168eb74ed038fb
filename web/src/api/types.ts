import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type Ticket = Schemas["TicketOut"];
export type Message = Schemas["MessageOut"];
export type TicketEvent = Schemas["EventOut"];
export type Attachment = Schemas["AttachmentOut"];
export type Delivery = Schemas["DeliveryOut"];
export type Citation = Schemas["CitationOut"];
export type User = Schemas["UserBrief"];
export type Account = Schemas["ChannelOut"];
export type ChannelType = Schemas["ChannelType"];
export type Status = Ticket["status"];
export type Priority = Ticket["priority"];
export type Handoff = Ticket["handoff"];
export type TicketChange = Schemas["TicketChange"];
export type LabChannel = Schemas["LabChannel"];
/** The client reads a list of pairs as a list of lists. */
export type LabLine = Omit<Schemas["Line"], "headers"> & { headers: string[][] };
export type LabFile = Schemas["File"];
export type Verb = Schemas["Verb"];
export type Misbehaviour = Schemas["Misbehaviour"];

export const STATUSES = [
  "open",
  "pending",
  "resolved",
  "closed",
  "spam",
] as const satisfies readonly Status[];
export const PRIORITIES = ["low", "normal", "high", "urgent"] as const satisfies readonly Priority[];
