import { AudioLines, Hash, PhoneCall, PhoneOff } from "lucide-react";
import type { LabLine } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { isRtl } from "../i18n/languages";

/** One thing of a call: its beginning and end, what was said, and keys. */
export function SaidLine({ line }: { line: LabLine }) {
  const { t, formats } = useI18n();
  const time = (
    <time dateTime={line.at} title={formats.moment(line.at)}>
      {formats.clock(line.at)}
    </time>
  );
  if (line.id === line.thread) {
    return (
      <p className="call-mark">
        <PhoneCall aria-hidden size={13} />
        {t("lab.called")} {time}
      </p>
    );
  }
  if (!line.mine && !line.spoken) {
    return (
      <p className="call-mark">
        <PhoneOff aria-hidden size={13} />
        {line.text || t("lab.call.ended")} {time}
      </p>
    );
  }
  const Icon = line.spoken ? AudioLines : Hash;
  return (
    <p className="said" data-mine={line.mine || undefined}>
      {line.mine && <Icon aria-hidden size={14} />}
      <span
        lang={line.language ?? undefined}
        dir={line.language ? (isRtl(line.language) ? "rtl" : "ltr") : "auto"}
      >
        {line.mine && !line.spoken ? t("lab.pressed", { key: line.text }) : line.text}
      </span>
    </p>
  );
}
