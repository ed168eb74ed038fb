import { Paperclip, X, type LucideIcon } from "lucide-react";
import type { Attachment } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { IconButton } from "../ui/Button";

interface Props {
  attachments: Attachment[];
  icon?: LucideIcon;
  onRemove?: (attachment: Attachment) => void;
}

/** Files as links to download; pictures open in place. */
export function Files({ attachments, icon: Icon = Paperclip, onRemove }: Props) {
  const { t, formats } = useI18n();
  if (attachments.length === 0) return null;
  return (
    <ul className="files" aria-label={t("message.files")}>
      {attachments.map((file) => (
        <li key={file.id} className="file">
          <Icon aria-hidden size={14} />
          <a href={file.url} target="_blank" rel="noopener">
            <bdi>{file.filename}</bdi>
          </a>
          <span className="file-size">{formats.size(file.size)}</span>
          {onRemove && (
            <IconButton
              icon={X}
              label={t("composer.remove_file", { name: file.filename })}
              onClick={() => onRemove(file)}
            />
          )}
        </li>
      ))}
    </ul>
  );
}
