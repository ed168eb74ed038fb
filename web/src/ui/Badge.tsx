import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

export type Tone = "neutral" | "ai" | "human" | "queue" | "review" | "good" | "warn" | "bad";

interface Props {
  tone?: Tone;
  icon?: LucideIcon;
  title?: string;
  children: ReactNode;
}

export function Badge({ tone = "neutral", icon: Icon, title, children }: Props) {
  return (
    <span className={`badge badge-${tone}`} title={title}>
      {Icon && <Icon aria-hidden size={13} />}
      {children}
    </span>
  );
}
