import { ImageOff } from "lucide-react";
import { useMemo, useState } from "react";
import type { Attachment } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { Button } from "../ui/Button";

interface Props {
  html: string;
  attachments?: Attachment[];
  title: string;
}

const STYLE = `
  :root { color-scheme: light; }
  html { background: #fff; }
  body { margin: 12px; font: 14px/1.5 system-ui, sans-serif; color: #1c2120; overflow-wrap: anywhere; }
  img { max-width: 100%; height: auto; }
  img:not([src]) { min-width: 24px; min-height: 24px; background: #eceae4; outline: 1px dashed #9a978f; }
  table { max-width: 100%; } pre { white-space: pre-wrap; }
  blockquote { margin-inline: 0; padding-inline-start: 12px; border-inline-start: 3px solid #d8d5cc; color: #565c5a; }
`;

/** The document for the frame: pictures of the mail itself in place, remote ones only when asked for. */
function frameDocument(
  html: string,
  attachments: Attachment[],
  images: boolean,
): { source: string; remote: number } {
  const page = new DOMParser().parseFromString(html, "text/html");
  let remote = 0;
  for (const image of page.querySelectorAll("img")) {
    const own = image.getAttribute("src") ?? "";
    if (own.toLowerCase().startsWith("cid:")) {
      const name = decodeURIComponent(own.slice(4));
      const file = attachments.find((one) => one.content_id?.replace(/^<|>$/g, "") === name);
      if (file) image.setAttribute("src", file.url);
      else image.removeAttribute("src");
    }
    const address = image.getAttribute("data-remote-src");
    if (address === null) continue;
    remote += 1;
    if (images) {
      image.setAttribute("src", address);
      image.setAttribute("referrerpolicy", "no-referrer");
    }
  }
  const sources = images ? "'self' data: https: http:" : "'self' data:";
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src ${sources}`;
  const head = `<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><meta name="referrer" content="no-referrer"><base target="_blank"><style>${STYLE}</style>`;
  return {
    source: `<!doctype html><html><head>${head}</head><body dir="auto">${page.body.innerHTML}</body></html>`,
    remote,
  };
}

/**
 * HTML of a stranger, in a frame that runs no script. It shares our origin only so that the pictures attached to the
 * mail load with the session, and so that its height can be read; without scripts nothing in it can use that.
 */
export function MailFrame({ html, attachments = [], title }: Props) {
  const { t } = useI18n();
  const [images, setImages] = useState(false);
  const [height, setHeight] = useState(120);
  const { source, remote } = useMemo(
    () => frameDocument(html, attachments, images),
    [html, attachments, images],
  );
  return (
    <div className="mail-frame">
      {remote > 0 && !images && (
        <p className="mail-images">
          <ImageOff aria-hidden size={15} />
          <span>{t("message.images_blocked", { count: remote })}</span>
          <Button tone="quiet" onClick={() => setImages(true)}>
            {t("message.load_images")}
          </Button>
        </p>
      )}
      <iframe
        title={title}
        sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"
        referrerPolicy="no-referrer"
        srcDoc={source}
        style={{ height }}
        onLoad={(event) => {
          const root = event.currentTarget.contentDocument?.documentElement;
          if (root) setHeight(Math.min(2_400, root.scrollHeight + 2));
        }}
      />
    </div>
  );
}
