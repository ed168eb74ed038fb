import { CloudDownload, FileX, Paperclip, X, type LucideIcon } from "lucide-react";
import type { Attachment } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { IconButton } from "../ui/Button";
import { FileTrouble } from "./FileTrouble";
import { Recording } from "./Recording";

interface Props {
  attachments: Attachment[];
  icon?: LucideIcon;
  onRemove?: (attachment: Attachment) => void;
}

/** Files as links to download, those that still come or never will by their names; recordings play in place. */
export function Files({ attachments, icon = Paperclip, onRemove }: Props) {
  const { t } = useI18n();
  if (attachments.length === 0) return null;
  return (
    <ul className="files" aria-label={t("message.files")}>
      {attachments.map((file) => {
        const heard = file.spoken || file.content_type.startsWith("audio/");
        if (heard && file.state === "ready" && onRemove === undefined) {
          return (
            <li key={file.id} className="file-wide">
              <Recording file={file} />
            </li>
          );
        }
        return (
          <li key={file.id} className={file.state === "failed" ? "file file-failed" : "file"}>
            <FileBody file={file} icon={icon} />
            {onRemove && (
              <IconButton
                icon={X}
                label={t("composer.remove_file", { name: file.filename })}
                onClick={() => onRemove(file)}
              />
            )}
          </li>
        );
      })}
    </ul>
  );
}

function FileBody({ file, icon: Icon }: { file: Attachment; icon: LucideIcon }) {
  const { t, formats } = useI18n();
  if (file.state === "fetching") {
    return (
      <>
        <CloudDownload aria-hidden size={14} />
        <bdi>{file.filename}</bdi>
        <span className="file-size" role="status">
          {t("file.fetching")}
        </span>
      </>
    );
  }
  if (file.state === "failed") {
    return (
      <>
        <span className="file-name">
          <FileX aria-hidden size={14} />
          <bdi>{file.filename}</bdi>
        </span>
        <FileTrouble code={file.error_code} />
      </>
    );
  }
  return (
    <>
      <Icon aria-hidden size={14} />
      <a href={file.url} target="_blank" rel="noopener">
        <bdi>{file.filename}</bdi>
      </a>
      <span className="file-size">{formats.size(file.size)}</span>
    </>
  );
}
