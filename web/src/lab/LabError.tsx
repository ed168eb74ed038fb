import { CircleAlert } from "lucide-react";
import { isProblem } from "../api/problem";
import { NoMicrophone } from "../audio/microphone";
import { Unreadable } from "../audio/sound";
import { useI18n } from "../i18n/I18n";
import { useErrorText } from "../ui/useErrorText";

/** What went wrong in the lab: refused by the provider, away, or unheard. */
export function LabError({ error }: { error: unknown }) {
  const { t } = useI18n();
  const text = useErrorText();

  function sentence(): string {
    if (error instanceof NoMicrophone) return t(`lab.microphone.${error.trouble}`);
    if (error instanceof Unreadable) return t("lab.unreadable");
    // The provider's own words, which come in English.
    if (isProblem(error) && error.code === "lab_refused") return t("lab.refused", { reason: error.message });
    return text(error);
  }

  return (
    <div role="alert" className="form-error" data-empty={error ? undefined : true}>
      {error ? (
        <>
          <CircleAlert aria-hidden size={16} />
          <span>{sentence()}</span>
        </>
      ) : null}
    </div>
  );
}
