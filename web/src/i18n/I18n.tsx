import { useQuery } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { Formats } from "./formats";
import { firstLanguage, isRtl, rememberLanguage, type Language } from "./languages";
import { ENGLISH, Texts, type Catalogue, type Values } from "./texts";

interface I18n {
  language: Language;
  rtl: boolean;
  setLanguage: (language: Language, remember?: boolean) => void;
  t: (id: string, values?: Values) => string;
  has: (id: string) => boolean;
  formats: Formats;
}

const Context = createContext<I18n | null>(null);

export function useI18n(): I18n {
  const found = useContext(Context);
  if (found === null) throw new Error("outside of I18nProvider");
  return found;
}

async function load(language: Language): Promise<Catalogue> {
  const response = await fetch(`/api/v1/locales/${language}/inbox.json`);
  if (!response.ok) throw new Error(`no catalogue: ${response.status}`);
  return (await response.json()) as Catalogue;
}

/** Gives the tree its language; the page changes when the catalogue is there, never half. */
export function I18nProvider({ children }: { children: ReactNode }) {
  const [wanted, setWanted] = useState<Language>(firstLanguage);
  const catalogue = useQuery({
    queryKey: ["catalogue", wanted],
    queryFn: async () => ({ language: wanted, entries: await load(wanted) }),
    enabled: wanted !== "en",
    staleTime: Infinity,
    gcTime: Infinity,
    placeholderData: (previous) => previous,
    retry: 2,
  });
  const loaded = wanted === "en" ? { language: wanted, entries: ENGLISH } : catalogue.data;
  const value = useMemo<I18n>(() => {
    const language = loaded?.language ?? "en";
    const texts = new Texts(language, loaded?.entries ?? ENGLISH);
    return {
      language,
      rtl: isRtl(language),
      setLanguage: (chosen, remember = true) => {
        if (remember) rememberLanguage(chosen);
        setWanted(chosen);
      },
      t: (id, values) => texts.text(id, values),
      has: (id) => texts.has(id),
      formats: new Formats(language),
    };
  }, [loaded?.language, loaded?.entries]);

  useEffect(() => {
    document.documentElement.lang = value.language;
    document.documentElement.dir = value.rtl ? "rtl" : "ltr";
  }, [value.language, value.rtl]);

  if (wanted !== "en" && catalogue.isPending) return null;
  return <Context value={value}>{children}</Context>;
}
