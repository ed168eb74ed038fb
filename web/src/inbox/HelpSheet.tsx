import { useI18n } from "../i18n/I18n";
import { Dialog } from "../ui/Dialog";
import { SHORTCUTS } from "./shortcuts";

export function HelpSheet({ onClose }: { onClose: () => void }) {
  const { t } = useI18n();
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <dl className="keys">
        {SHORTCUTS.map(({ key, name }) => (
          <div key={key}>
            <dt>
              {key.split("+").map((part) => (
                <kbd key={part}>{part}</kbd>
              ))}
            </dt>
            <dd>{t(`keys.${name}`)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
