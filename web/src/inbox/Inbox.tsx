import { ArrowLeft, MessageSquareDashed } from "lucide-react";
import { useEffect, useState } from "react";
import { Redirect, useLocation, useRoute, useSearchParams } from "wouter";
import type { Me } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { TicketPane } from "../ticket/TicketPane";
import { EmptyState } from "../ui/EmptyState";
import { HelpSheet } from "./HelpSheet";
import { NewTicket } from "./NewTicket";
import { Sidebar } from "./Sidebar";
import { TicketList } from "./TicketList";
import { useShortcut } from "./shortcuts";
import { viewId, type Filter } from "./views";

/** The inbox: views, a list, and the open ticket. On a phone one of them at a time. */
export function Inbox({ me }: { me: Me }) {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  const [matches, params] = useRoute("/inbox/:view/:ticket?");
  const [search, setSearch] = useSearchParams();
  const [help, setHelp] = useState(false);
  const [composing, setComposing] = useState(false);
  const [sidebar, setSidebar] = useState(false);
  const view = viewId(params?.view);
  const filter: Filter = { view, q: search.get("q") ?? "", channel: search.get("channel") ?? "" };
  const ticketId = params?.ticket;
  const suffix = search.size > 0 ? `?${search.toString()}` : "";

  useShortcut("?", () => setHelp(true));
  useShortcut("Escape", () => ticketId !== undefined && navigate(`/inbox/${view}${suffix}`));
  useEffect(() => {
    if (ticketId === undefined) document.title = `${t(`view.${view}`)} · AutoCRM`;
  }, [t, view, ticketId]);

  if (!matches) return <Redirect to="/inbox/open" replace />;
  return (
    <div
      className="inbox"
      data-ticket={ticketId === undefined ? undefined : true}
      data-sidebar={sidebar || undefined}
    >
      <a className="skip-link" href="#ticket">
        {t("nav.skip")}
      </a>
      <Sidebar
        me={me}
        view={view}
        onNavigate={() => setSidebar(false)}
        onCompose={() => {
          setSidebar(false);
          setComposing(true);
        }}
        onHelp={() => setHelp(true)}
      />
      <TicketList
        // Another view begins at its top.
        key={`${filter.view} ${filter.channel}`}
        filter={filter}
        openId={ticketId}
        suffix={suffix}
        onFilter={(changed) =>
          setSearch(
            (before) => {
              for (const [name, value] of Object.entries(changed)) {
                if (value) before.set(name, value);
                else before.delete(name);
              }
              return before;
            },
            { replace: true },
          )
        }
        onMenu={() => setSidebar(!sidebar)}
      />
      <main id="ticket" className="ticket-column" tabIndex={-1}>
        {ticketId === undefined ? (
          <EmptyState icon={MessageSquareDashed} title={t("ticket.none_open")}>
            <p className="muted">{t("ticket.none_open_hint")}</p>
          </EmptyState>
        ) : (
          <TicketPane
            key={ticketId}
            id={ticketId}
            me={me}
            back={{ href: `/inbox/${view}${suffix}`, icon: ArrowLeft }}
          />
        )}
      </main>
      {sidebar && <div className="sidebar-shade" onPointerDown={() => setSidebar(false)} />}
      {help && <HelpSheet onClose={() => setHelp(false)} />}
      {composing && (
        <NewTicket
          onClose={() => setComposing(false)}
          onMade={(ticket) => {
            setComposing(false);
            navigate(`/inbox/${view}/${ticket.id}`);
          }}
        />
      )}
    </div>
  );
}
