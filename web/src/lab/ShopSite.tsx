import { ExternalLink } from "lucide-react";
import { useI18n } from "../i18n/I18n";

const PATH = "/demo/";

/** The shop's own page with the chat widget, as visitors meet it. */
export function ShopSite() {
  const { t } = useI18n();
  return (
    <main className="lab-site">
      <p>
        <a href={PATH} target="_blank" rel="noopener">
          <ExternalLink aria-hidden size={15} /> {t("lab.open_site")}
        </a>
      </p>
      <iframe title={t("lab.site")} src={PATH} />
    </main>
  );
}
