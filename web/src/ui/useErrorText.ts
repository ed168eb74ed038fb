import { isProblem } from "../api/problem";
import { useI18n } from "../i18n/I18n";

/** A sentence for an error: by its code where there is one, else the server's own detail. */
export function useErrorText(): (error: unknown) => string {
  const { t, has } = useI18n();
  return (error) => {
    if (!isProblem(error)) return t("error.unknown");
    const id = `error.${error.code}`;
    if (has(id)) {
      const values = Object.entries(error.params).filter(
        (pair): pair is [string, string | number] =>
          typeof pair[1] === "string" || typeof pair[1] === "number",
      );
      return t(id, Object.fromEntries(values));
    }
    if (error.status >= 500) return t("error.server");
    return error.message || t("error.unknown");
  };
}
