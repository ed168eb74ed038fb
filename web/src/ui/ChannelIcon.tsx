import {
  AudioLines,
  Hash,
  Mail,
  MessageCircle,
  MessageSquare,
  MessageSquareText,
  MessagesSquare,
  Mic,
  Phone,
  Send,
  Smartphone,
  type LucideIcon,
} from "lucide-react";
import { useChannelType } from "../api/queries";

/** The icons a channel's specification may name; a new name falls back to a speech bubble until it is listed. */
const ICONS: Record<string, LucideIcon> = {
  "audio-lines": AudioLines,
  hash: Hash,
  mail: Mail,
  "message-circle": MessageCircle,
  "message-square": MessageSquare,
  "message-square-text": MessageSquareText,
  "messages-square": MessagesSquare,
  mic: Mic,
  phone: Phone,
  send: Send,
  slack: Hash,
  smartphone: Smartphone,
};

interface Props {
  channel: string;
  size?: number;
  /** Its name stands beside it already. */
  quiet?: boolean;
}

export function ChannelIcon({ channel, size = 15, quiet = false }: Props) {
  const type = useChannelType(channel);
  const Icon = ICONS[type?.icon ?? ""] ?? MessageCircle;
  const title = type?.title ?? channel;
  return (
    <span className="channel-icon" title={quiet ? undefined : title}>
      <Icon aria-hidden size={size} />
      {!quiet && <span className="visually-hidden">{title}</span>}
    </span>
  );
}
