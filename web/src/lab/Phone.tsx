import {
  Ear,
  Hourglass,
  Phone as PhoneIcon,
  PhoneCall,
  PhoneOff,
  Volume2,
  VolumeX,
  type LucideIcon,
} from "lucide-react";
import { useMemo, useRef, useState } from "react";
import type { LabLine } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { EmptyState } from "../ui/EmptyState";
import { ErrorState } from "../ui/ErrorState";
import { Spinner } from "../ui/Spinner";
import { Keypad } from "./Keypad";
import { LabError } from "./LabError";
import { SaidLine } from "./SaidLine";
import { Speak } from "./Speak";
import type { Device } from "./device";
import { useFollowNewest } from "./useFollowNewest";
import { useAct, useLines, type Deed } from "./useLab";
import { useAloud } from "./useAloud";

const LIVE: Record<string, LucideIcon> = {
  ringing: PhoneCall,
  speaking: Volume2,
  listening: Ear,
  waiting: Hourglass,
};

/** The calls of a customer, each with its lines, oldest first. */
function calls(lines: LabLine[]): LabLine[][] {
  const found = new Map<string, LabLine[]>();
  for (const line of lines) {
    const thread = line.thread ?? line.id;
    const known = found.get(thread);
    if (known) known.push(line);
    else found.set(thread, [line]);
  }
  return [...found.values()];
}

/** A customer's telephone: calling, listening, pressing keys and speaking. */
export function Phone({ channel, customer }: Device) {
  const { t } = useI18n();
  const lines = useLines(channel.account_id, customer.who);
  const act = useAct(channel.account_id, customer);
  const [lost, setLost] = useState<string | null>(null);
  const log = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => calls(lines.data ?? []), [lines.data]);
  const last = shown.at(-1)?.at(-1);
  // A call that the provider no longer knows of has ended, whatever was said last.
  const live = last?.state != null && last.state in LIVE && (last.thread ?? last.id) !== lost;
  const state = live ? (last.state ?? "ended") : shown.length > 0 ? "ended" : "idle";
  const aloud = useAloud(lines.data ?? [], live);
  const can = new Set(channel.verbs);
  const count = lines.data?.length ?? 0;

  useFollowNewest(log, count);

  function perform(deed: Deed): void {
    // Whoever does something on the line interrupts what is being read.
    if (aloud.able) speechSynthesis.cancel();
    act.mutate(deed, {
      onError: () => {
        if (deed.verb === "hang_up") setLost(last?.thread ?? last?.id ?? null);
      },
    });
  }

  const Icon = LIVE[state] ?? (state === "ended" ? PhoneOff : PhoneIcon);
  return (
    <section className="phone" aria-label={t("lab.phone", { name: customer.name || customer.who })}>
      <div className="handset">
        <p className="handset-number">
          <span>{channel.title}</span>
          <bdi dir="ltr">{channel.address}</bdi>
        </p>
        <p className="call-state" data-state={state} role="status">
          <Icon aria-hidden size={16} />
          {t(`lab.call.${state}`)}
        </p>
        {can.has("press") && (
          <Keypad disabled={!live} onPress={(key) => perform({ verb: "press", text: key })} />
        )}
        {live ? (
          <button
            type="button"
            className="call-button call-end"
            aria-disabled={act.isPending || undefined}
            onClick={() => perform({ verb: "hang_up" })}
          >
            <PhoneOff aria-hidden size={20} />
            {t("lab.hang_up")}
          </button>
        ) : (
          <button
            type="button"
            className="call-button"
            aria-disabled={act.isPending || undefined}
            onClick={() => {
              if (!act.isPending) perform({ verb: "call" });
            }}
          >
            <PhoneIcon aria-hidden size={20} />
            {t("lab.call")}
          </button>
        )}
        <p className="muted small handset-who">
          {t("lab.as")} <bdi>{customer.name}</bdi> <bdi dir="ltr">{customer.who}</bdi>
        </p>
      </div>
      <div className="lab-device call-log">
        <header className="device-head call-head">
          <h2>{t("lab.call_log")}</h2>
          {aloud.able && (
            <button
              type="button"
              className="aloud"
              role="switch"
              aria-checked={aloud.on}
              onClick={() => aloud.set(!aloud.on)}
            >
              {aloud.on ? <Volume2 aria-hidden size={15} /> : <VolumeX aria-hidden size={15} />}
              {t("lab.aloud")}
              <span className="aloud-knob" aria-hidden />
            </button>
          )}
        </header>
        <div className="lines" ref={log} role="log" aria-label={t("lab.call_log")} tabIndex={0}>
          {lines.isPending ? (
            <Spinner />
          ) : lines.data === undefined ? (
            <ErrorState error={lines.error} onRetry={() => void lines.refetch()} />
          ) : shown.length === 0 ? (
            <EmptyState icon={PhoneIcon} title={t("lab.no_call")}>
              <p className="muted">{t("lab.no_call_hint")}</p>
            </EmptyState>
          ) : (
            shown.map((said) => (
              <div key={said[0]?.id} className="one-call">
                {said.map((line) => (
                  <SaidLine key={line.id} line={line} />
                ))}
              </div>
            ))
          )}
          {act.isPending && act.variables.verb === "speak" && (
            <p className="said" data-mine data-pending>
              <span>{t("delivery.sending")}</span>
            </p>
          )}
        </div>
        <LabError error={act.error ?? (lines.data === undefined ? null : lines.error)} />
        {can.has("speak") && (
          <Speak
            state={state}
            busy={act.isPending && act.variables.verb === "speak"}
            onSpoken={(file) => perform({ verb: "speak", files: [file] })}
          />
        )}
      </div>
    </section>
  );
}
