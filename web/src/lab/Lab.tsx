import { useQuery } from "@tanstack/react-query";
import { ArrowLeft, FlaskConical, Store } from "lucide-react";
import { useEffect, useRef } from "react";
import { Link, useSearchParams } from "wouter";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import { useChannelType, useChannelTypes } from "../api/queries";
import type { LabChannel } from "../api/types";
import { useI18n } from "../i18n/I18n";
import "../styles/conversation.css";
import "../styles/lab.css";
import "../styles/phone.css";
import { ChannelIcon } from "../ui/ChannelIcon";
import { EmptyState } from "../ui/EmptyState";
import { ErrorState } from "../ui/ErrorState";
import { Spinner } from "../ui/Spinner";
import { Conversation } from "./Conversation";
import { Misbehave } from "./Misbehave";
import { PersonaPicker } from "./PersonaPicker";
import { Phone } from "./Phone";
import { ShopSite } from "./ShopSite";
import { PERSONAS, asKnown, type Customer } from "./personas";

/** What the address bar says instead of an account: the page on which the shop's visitors chat. */
const SITE = "site";
/** The mode may be changed by somebody else. */
const LOOK_EVERY = 15_000;

/** The lab: acting as the customer, on every channel that has a fake provider. */
export default function Lab() {
  const { t } = useI18n();
  const [params, setParams] = useSearchParams();
  const channels = useQuery({
    queryKey: keys.labChannels,
    refetchInterval: LOOK_EVERY,
    queryFn: async () => (await unwrap(api.GET("/api/v1/lab/channels"))).items,
  });
  const rail = useRef<HTMLElement>(null);
  const on = params.get("on");
  const items = channels.data ?? [];
  const channel = items.find((one) => one.account_id === on) ?? (on === SITE ? undefined : items[0]);

  useEffect(() => {
    document.title = `${t("lab.title")} · AutoCRM`;
  }, [t]);

  // On a phone the channels lie side by side, and the chosen one may be out of sight.
  useEffect(() => {
    const chosen = rail.current?.querySelector("[aria-pressed='true']");
    chosen?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [channel?.account_id]);

  function choose(account: string): void {
    setParams((before) => {
      before.set("on", account);
      return before;
    });
  }

  return (
    <div className="lab">
      <header className="lab-head">
        <Link href="/" className="icon-button" aria-label={t("lab.back")} title={t("lab.back")}>
          <ArrowLeft aria-hidden size={18} className="directional" />
        </Link>
        <div className="lab-name">
          <h1>{t("lab.title")}</h1>
          <p className="muted">{t("lab.intro")}</p>
        </div>
      </header>
      {channels.isPending ? (
        <main className="lab-empty">
          <Spinner page />
        </main>
      ) : channels.data === undefined ? (
        <main className="lab-empty">
          <ErrorState error={channels.error} onRetry={() => void channels.refetch()} />
        </main>
      ) : (
        <div className="lab-body">
          <nav className="lab-rail" aria-label={t("lab.channels")} ref={rail}>
            {items.map((one) => (
              <button
                key={one.account_id}
                type="button"
                aria-pressed={one === channel}
                onClick={() => choose(one.account_id)}
              >
                <ChannelIcon channel={one.channel} size={17} quiet />
                <span className="rail-name">
                  {one.title}
                  <small dir="ltr">{one.address}</small>
                </span>
                {one.misbehaviour !== "none" && <span className="rail-wrong" title={t("lab.misbehaves")} />}
              </button>
            ))}
            <button type="button" aria-pressed={channel === undefined} onClick={() => choose(SITE)}>
              <Store aria-hidden size={17} />
              <span className="rail-name">
                {t("lab.site")}
                <small>{t("lab.site_hint")}</small>
              </span>
            </button>
          </nav>
          {channel !== undefined ? (
            <Stage key={channel.account_id} channel={channel} />
          ) : on === SITE ? (
            <ShopSite />
          ) : (
            <main className="lab-empty">
              <EmptyState icon={FlaskConical} title={t("lab.none")} />
            </main>
          )}
        </div>
      )}
    </div>
  );
}

/** One channel: the customer's device in the middle, and beside it who one is and how the provider behaves. */
function Stage({ channel }: { channel: LabChannel }) {
  const [params, setParams] = useSearchParams();
  const types = useChannelTypes();
  const type = useChannelType(channel.channel);
  if (type === undefined) {
    return (
      <main className="lab-empty">
        {types.isError ? (
          <ErrorState error={types.error} onRetry={() => void types.refetch()} />
        ) : (
          <Spinner page />
        )}
      </main>
    );
  }
  const typed = params.get(type.peer_kind);
  const persona =
    typed === null ? (PERSONAS.find((one) => one.id === params.get("as")) ?? PERSONAS[0]) : undefined;
  const customer: Customer =
    persona === undefined
      ? { name: params.get("name") ?? "", who: typed ?? "" }
      : asKnown(persona, type.peer_kind);
  const device = { channel, type, customer, questions: persona?.questions ?? [] };
  const Device = channel.verbs.includes("call") ? Phone : Conversation;
  return (
    <>
      <main className="lab-stage">
        <Device key={`${channel.account_id} ${customer.who}`} {...device} />
      </main>
      <aside className="lab-side">
        <PersonaPicker
          peerKind={type.peer_kind}
          persona={persona ?? null}
          customer={customer}
          onPersona={(one) =>
            setParams((before) => {
              before.delete(type.peer_kind);
              before.set("as", one.id);
              return before;
            })
          }
          onOther={({ name, who }) =>
            setParams((before) => {
              before.set(type.peer_kind, who);
              before.set("name", name);
              return before;
            })
          }
        />
        <Misbehave channel={channel} />
      </aside>
    </>
  );
}
