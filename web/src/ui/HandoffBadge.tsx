import { Hourglass, ScanEye, Sparkles, UserRound } from "lucide-react";
import type { Handoff } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { Badge } from "./Badge";

const LOOK = {
  ai: { tone: "ai", icon: Sparkles },
  review: { tone: "review", icon: ScanEye },
  queue: { tone: "queue", icon: Hourglass },
  human: { tone: "human", icon: UserRound },
} as const;

/** Who answers this ticket. */
export function HandoffBadge({ handoff }: { handoff: Handoff }) {
  const { t } = useI18n();
  const { tone, icon } = LOOK[handoff];
  return (
    <Badge tone={tone} icon={icon} title={t(`handoff.${handoff}.hint`)}>
      {t(`handoff.${handoff}`)}
    </Badge>
  );
}
