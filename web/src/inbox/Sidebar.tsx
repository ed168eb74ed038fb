import { FlaskConical, Keyboard, LogOut, PenLine, Settings2, WifiOff } from "lucide-react";
import { useState } from "react";
import { Link } from "wouter";
import { api, unwrap } from "../api/client";
import { useDemo } from "../api/queries";
import type { Me } from "../api/types";
import { chosenTheme, rememberTheme, THEMES, type Theme } from "../app/theme";
import { useI18n } from "../i18n/I18n";
import { LANGUAGES, supported } from "../i18n/languages";
import { useLiveState } from "../live/LiveProvider";
import { forgetDrafts } from "../ticket/drafts";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/Button";
import { Select } from "../ui/Field";
import { Logo } from "../ui/Logo";
import { Menu } from "../ui/Menu";
import { useToast } from "../ui/Toasts";
import { useErrorText } from "../ui/useErrorText";
import { VIEW_IDS, VIEWS, type ViewId } from "./views";

interface Props {
  me: Me;
  view: ViewId;
  onNavigate: () => void;
  onCompose: () => void;
  onHelp: () => void;
}

export function Sidebar({ me, view, onNavigate, onCompose, onHelp }: Props) {
  const { t } = useI18n();
  const live = useLiveState();
  const demo = useDemo();
  return (
    <header className="sidebar">
      <div className="sidebar-head">
        <Logo compact />
      </div>
      <Button tone="primary" icon={PenLine} className="compose-button" onClick={onCompose}>
        {t("new.title")}
      </Button>
      <nav aria-label={t("nav.views")}>
        <ul className="views">
          {VIEW_IDS.map((id) => {
            const Icon = VIEWS[id].icon;
            return (
              <li key={id}>
                <Link
                  href={`/inbox/${id}`}
                  aria-current={id === view ? "page" : undefined}
                  onClick={onNavigate}
                >
                  <Icon aria-hidden size={17} />
                  <span>{t(`view.${id}`)}</span>
                </Link>
              </li>
            );
          })}
        </ul>
      </nav>
      <div className="sidebar-foot">
        {live === "lost" && (
          <p className="live-lost" role="status">
            <WifiOff aria-hidden size={15} />
            {t("state.reconnecting")}
          </p>
        )}
        {demo && (
          <Link className="sidebar-link" href="/lab">
            <FlaskConical aria-hidden size={17} />
            <span>{t("lab.title")}</span>
          </Link>
        )}
        <button type="button" className="sidebar-link" onClick={onHelp}>
          <Keyboard aria-hidden size={17} />
          <span>{t("keys.title")}</span>
        </button>
        <div className="account">
          <Avatar name={me.name} />
          <span className="account-name" title={me.email ?? undefined}>
            {me.name}
          </span>
          <SettingsMenu />
        </div>
      </div>
    </header>
  );
}

function SettingsMenu() {
  const { t, language, setLanguage } = useI18n();
  const toast = useToast();
  const errorText = useErrorText();
  const [theme, setTheme] = useState<Theme>(chosenTheme);
  return (
    <Menu label={t("settings.title")} trigger={<Settings2 aria-hidden size={18} />}>
      {() => (
        <div className="stack settings">
          <Select
            label={t("settings.language")}
            value={language}
            onChange={(event) => setLanguage(supported(event.target.value) ?? "en")}
          >
            {LANGUAGES.map(({ tag, name }) => (
              <option key={tag} value={tag} lang={tag}>
                {name}
              </option>
            ))}
          </Select>
          <Select
            label={t("settings.theme")}
            value={theme}
            onChange={(event) => {
              const chosen = THEMES.find((one) => one === event.target.value) ?? "system";
              setTheme(chosen);
              rememberTheme(chosen);
            }}
          >
            {THEMES.map((one) => (
              <option key={one} value={one}>
                {t(`theme.${one}`)}
              </option>
            ))}
          </Select>
          <Button
            icon={LogOut}
            onClick={() => {
              void unwrap(api.DELETE("/api/v1/session"))
                .then(() => {
                  // Nothing of what was read or written stays behind for the next one at this desk.
                  forgetDrafts();
                  location.assign("/");
                })
                .catch((error: unknown) => toast(errorText(error)));
            }}
          >
            {t("settings.sign_out")}
          </Button>
        </div>
      )}
    </Menu>
  );
}
