import { CloudOff } from "lucide-react";
import { useI18n } from "../i18n/I18n";
import { Button } from "./Button";
import { useErrorText } from "./useErrorText";

interface Props {
  error: unknown;
  onRetry: () => void;
  page?: boolean;
}

/** Says what failed, in place of what should be there, and offers the way out. */
export function ErrorState({ error, onRetry, page = false }: Props) {
  const { t } = useI18n();
  const text = useErrorText();
  return (
    <div className={page ? "empty-state empty-page" : "empty-state"} role="alert">
      <CloudOff aria-hidden size={28} />
      <p>{text(error)}</p>
      <Button onClick={onRetry}>{t("action.retry")}</Button>
    </div>
  );
}
