import { useEffect, type ReactNode } from "react";
import { useI18n } from "../i18n/I18n";
import { LANGUAGES } from "../i18n/languages";
import { Logo } from "../ui/Logo";

/** The frame of the pages that one sees before signing in. */
export function DoorPage({ title, children }: { title: string; children: ReactNode }) {
  const { t, language, setLanguage } = useI18n();

  useEffect(() => {
    document.title = `${title} · AutoCRM`;
  }, [title]);

  return (
    <div className="door">
      <main className="door-card">
        <Logo />
        <h1>{title}</h1>
        {children}
      </main>
      <nav className="door-languages" aria-label={t("settings.language")}>
        {LANGUAGES.map(({ tag, name }) => (
          <button
            key={tag}
            type="button"
            lang={tag}
            aria-pressed={tag === language}
            onClick={() => setLanguage(tag)}
          >
            {name}
          </button>
        ))}
      </nav>
    </div>
  );
}
