import { useI18n } from "../i18n/I18n";

export function Spinner({ page = false }: { page?: boolean }) {
  const { t } = useI18n();
  return (
    <div className={page ? "spinner-box spinner-page" : "spinner-box"} role="status">
      <span className="spinner" aria-hidden />
      <span className="visually-hidden">{t("state.loading")}</span>
    </div>
  );
}
