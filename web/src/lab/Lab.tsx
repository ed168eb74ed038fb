import { useQuery } from "@tanstack/react-query";
import { ArrowLeft, ExternalLink, FlaskConical } from "lucide-react";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import { useI18n } from "../i18n/I18n";
import "../styles/lab.css";
import { ChannelIcon } from "../ui/ChannelIcon";
import { EmptyState } from "../ui/EmptyState";
import { ErrorState } from "../ui/ErrorState";
import { Spinner } from "../ui/Spinner";
import { Mailbox } from "./Mailbox";

/** A channel whose address is a page is tried on that page; any other by writing to its address. */
function isPage(address: string): boolean {
  return /^https?:\/\//.test(address);
}

/** The lab: acting as the customer, on every channel that has a fake provider. */
export default function Lab() {
  const { t } = useI18n();
  const [chosen, setChosen] = useState("");
  const channels = useQuery({
    queryKey: keys.labChannels,
    queryFn: async () => {
      const { items } = await unwrap(api.GET("/api/v1/lab/channels"));
      // What can be written to right here stands first.
      return items.toSorted((a, b) => Number(isPage(a.address)) - Number(isPage(b.address)));
    },
  });
  const channel = channels.data?.find((one) => one.account_id === chosen) ?? channels.data?.[0];

  useEffect(() => {
    document.title = `${t("lab.title")} · AutoCRM`;
  }, [t]);

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
        {channels.data && (
          <div className="lab-channels" role="group" aria-label={t("lab.channels")}>
            {channels.data.map((one) => (
              <button
                key={one.account_id}
                type="button"
                aria-pressed={one === channel}
                onClick={() => setChosen(one.account_id)}
              >
                <ChannelIcon channel={one.channel} />
                {one.title}
              </button>
            ))}
          </div>
        )}
      </header>
      <main className="lab-main">
        {channels.isPending ? (
          <Spinner page />
        ) : channels.isError ? (
          <ErrorState error={channels.error} onRetry={() => void channels.refetch()} />
        ) : channel === undefined ? (
          <EmptyState icon={FlaskConical} title={t("lab.none")} />
        ) : isPage(channel.address) ? (
          <section className="lab-site">
            <p>
              <a href={new URL(channel.address).pathname} target="_blank" rel="noopener">
                <ExternalLink aria-hidden size={15} /> {t("lab.open_site")}
              </a>
            </p>
            {/* By its path: the frame is then of our own origin, whatever name this page was opened under. */}
            <iframe title={channel.title} src={new URL(channel.address).pathname} />
          </section>
        ) : (
          <Mailbox key={channel.account_id} accountId={channel.account_id} address={channel.address} />
        )}
      </main>
    </div>
  );
}
