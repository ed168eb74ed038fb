import { useMutation, useQueryClient } from "@tanstack/react-query";
import {
  Check,
  CheckCheck,
  CircleAlert,
  CircleHelp,
  CircleSlash,
  Clock3,
  PhoneOff,
  Unplug,
  type LucideIcon,
} from "lucide-react";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import type { Delivery } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { Button } from "../ui/Button";
import { FormError } from "../ui/FormError";
import { useFacts } from "./facts";

type State = Delivery["state"];

const ICONS: Record<State, LucideIcon> = {
  pending: Clock3,
  sending: Clock3,
  sent: Check,
  delivered: CheckCheck,
  read: CheckCheck,
  failed: CircleAlert,
  held: CircleHelp,
  parked: Unplug,
  cancelled: CircleSlash,
};

/** The parts of a message are one thing to the reader: the worst of them counts. */
const WORST: State[] = [
  "failed",
  "held",
  "parked",
  "cancelled",
  "pending",
  "sending",
  "sent",
  "delivered",
  "read",
];

interface Props {
  deliveries: Delivery[];
  ticketId: string;
}

/** What became of a message that went out, and what to do where that is not known. */
export function Deliveries({ deliveries, ticketId }: Props) {
  const { t } = useI18n();
  const { instead } = useFacts();
  const worst = WORST.flatMap((state) => deliveries.filter((one) => one.state === state))[0];
  if (worst === undefined) return null;
  // The provider refused it because the talk was over; the same words have gone out another way.
  const over =
    worst.state === "failed" && worst.error_code === "conversation_over" && instead.has(worst.message_id);
  const Icon = over ? PhoneOff : ICONS[worst.state];
  const held = deliveries.filter((one) => one.state === "held");
  return (
    <div className={`delivery delivery-${over ? "over" : worst.state}`}>
      <Icon aria-hidden size={14} />
      <span>
        {over ? t("delivery.conversation_over") : t(`delivery.${worst.state}`)}
        {worst.error && !over && !["sent", "delivered", "read"].includes(worst.state) && (
          <span className="delivery-reason" dir="auto">
            {worst.error}
          </span>
        )}
      </span>
      {held.map((one) => (
        <Settle key={one.id} delivery={one} ticketId={ticketId} />
      ))}
    </div>
  );
}

function Settle({ delivery, ticketId }: { delivery: Delivery; ticketId: string }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const settle = useMutation({
    mutationFn: (sendAgain: boolean) =>
      unwrap(
        api.POST("/api/v1/deliveries/{delivery_id}/settle", {
          params: { path: { delivery_id: delivery.id } },
          body: { send_again: sendAgain },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.ticket(ticketId) }),
  });
  return (
    <span className="settle">
      <Button busy={settle.isPending} onClick={() => settle.mutate(true)}>
        {t("delivery.send_again")}
      </Button>
      <Button tone="quiet" busy={settle.isPending} onClick={() => settle.mutate(false)}>
        {t("delivery.take_as_sent")}
      </Button>
      <FormError error={settle.error} />
    </span>
  );
}
