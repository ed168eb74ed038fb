import { CircleAlert } from "lucide-react";
import { useI18n } from "../i18n/I18n";

/** Why a file is not here, or was not understood, and what to do about it. */
export function FileTrouble({ code, heard = false }: { code: string | null; heard?: boolean }) {
  const { t, has } = useI18n();
  const known = code !== null && has(`file.trouble.${code}`);
  const id = known ? code : heard ? "speech_failed" : "other";
  return (
    <p className="file-trouble">
      <CircleAlert aria-hidden size={14} />
      <span>
        {t(`file.trouble.${id}`)} <span className="file-advice">{t(`file.advice.${id}`)}</span>
      </span>
    </p>
  );
}
