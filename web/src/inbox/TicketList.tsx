import { ArrowUp, Menu as MenuIcon, Search, SearchX, Sparkle, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useChannelTypes } from "../api/queries";
import { useI18n } from "../i18n/I18n";
import { Button, IconButton } from "../ui/Button";
import { EmptyState } from "../ui/EmptyState";
import { ErrorState } from "../ui/ErrorState";
import { Select } from "../ui/Field";
import { Spinner } from "../ui/Spinner";
import { TicketRow } from "./TicketRow";
import { useShortcut } from "./shortcuts";
import { useTicketList } from "./useTicketList";
import type { Filter } from "./views";

interface Props {
  filter: Filter;
  openId: string | undefined;
  suffix: string;
  onFilter: (changed: Partial<Pick<Filter, "q" | "channel">>) => void;
  onMenu: () => void;
}

const TYPING_PAUSE = 250;

export function TicketList({ filter, openId, suffix, onFilter, onMenu }: Props) {
  const { t } = useI18n();
  const scroller = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const sentinel = useRef<HTMLDivElement>(null);
  const channels = useChannelTypes().data ?? [];
  const [words, setWords] = useState(filter.q);
  const list = useTicketList(filter, () => (scroller.current?.scrollTop ?? 0) < 8);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;

  useEffect(() => {
    if (words === filter.q) return;
    const timer = setTimeout(() => onFilter({ q: words.trim() }), TYPING_PAUSE);
    return () => clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only what was typed starts the search
  }, [words]);

  useEffect(() => {
    const end = sentinel.current;
    if (end === null) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting && hasNextPage && !isFetchingNextPage) void fetchNextPage();
      },
      { root: scroller.current, rootMargin: "600px" },
    );
    observer.observe(end);
    return () => observer.disconnect();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, list.items.length]);

  /** Moves the focus along the rows; Enter on a row is the browser's own. */
  function step(by: 1 | -1): void {
    const rows = Array.from(scroller.current?.querySelectorAll<HTMLAnchorElement>("a.row") ?? []);
    const focused = rows.indexOf(document.activeElement as HTMLAnchorElement);
    const open = rows.findIndex((row) => row.getAttribute("aria-current") === "true");
    const from = focused >= 0 ? focused : open;
    const next = rows[from < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, from + by))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  useShortcut("j", () => step(1));
  useShortcut("k", () => step(-1));
  useShortcut("/", () => search.current?.focus());

  const filtered = filter.q !== "" || filter.channel !== "";
  return (
    <section className="list-column" aria-label={t(`view.${filter.view}`)}>
      <header className="list-head">
        <div className="list-title">
          <IconButton icon={MenuIcon} label={t("nav.menu")} className="menu-button" onClick={onMenu} />
          <h1>{t(`view.${filter.view}`)}</h1>
          <Select
            bare
            label={t("list.channel")}
            value={filter.channel}
            onChange={(event) => onFilter({ channel: event.target.value })}
          >
            <option value="">{t("list.all_channels")}</option>
            {channels.map((type) => (
              <option key={type.id} value={type.id}>
                {type.title}
              </option>
            ))}
          </Select>
        </div>
        <div className="search" role="search">
          <Search aria-hidden size={16} />
          <input
            ref={search}
            type="search"
            value={words}
            aria-label={t("list.search")}
            placeholder={t("list.search")}
            onChange={(event) => setWords(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape") {
                setWords("");
                event.currentTarget.blur();
              }
            }}
          />
          {words === "" ? (
            <kbd aria-hidden>/</kbd>
          ) : (
            <IconButton icon={X} label={t("list.clear")} onClick={() => setWords("")} />
          )}
        </div>
      </header>
      <div className="list-scroll" ref={scroller}>
        {list.waiting && (
          <button
            type="button"
            className="list-waiting"
            onClick={() => {
              scroller.current?.scrollTo({ top: 0 });
              void list.refreshTop();
            }}
          >
            <ArrowUp aria-hidden size={14} />
            {t("list.new_activity")}
          </button>
        )}
        {list.isPending ? (
          <ListSkeleton />
        ) : list.isError && list.items.length === 0 ? (
          <ErrorState error={list.error} onRetry={() => void list.refetch()} />
        ) : list.items.length === 0 ? (
          filtered ? (
            <EmptyState icon={SearchX} title={t("list.nothing_found")}>
              <Button
                onClick={() => {
                  setWords("");
                  onFilter({ q: "", channel: "" });
                }}
              >
                {t("list.clear")}
              </Button>
            </EmptyState>
          ) : (
            <EmptyState icon={Sparkle} title={t(`view.${filter.view}.empty`)}>
              <p className="muted">{t("list.empty_hint")}</p>
            </EmptyState>
          )
        ) : (
          <ul className="rows">
            {list.items.map((ticket) => (
              <TicketRow
                key={ticket.id}
                ticket={ticket}
                href={`/inbox/${filter.view}/${ticket.id}${suffix}`}
                open={ticket.id === openId}
              />
            ))}
          </ul>
        )}
        <div ref={sentinel} />
        {isFetchingNextPage && <Spinner />}
      </div>
    </section>
  );
}

function ListSkeleton() {
  const { t } = useI18n();
  return (
    <div role="status">
      <span className="visually-hidden">{t("state.loading")}</span>
      {Array.from({ length: 6 }, (_, index) => (
        <div key={index} className="row-skeleton" aria-hidden />
      ))}
    </div>
  );
}
