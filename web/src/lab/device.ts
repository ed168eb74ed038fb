import type { ChannelType, LabChannel } from "../api/types";
import type { Customer, Question } from "./personas";

/** What a customer's device needs to know: whose it is, and what it can reach. */
export interface Device {
  channel: LabChannel;
  type: ChannelType;
  customer: Customer;
  /** In the customer's language; empty for somebody who was typed in. */
  questions: Question[];
}
