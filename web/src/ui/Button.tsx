import type { ButtonHTMLAttributes, ReactNode } from "react";
import type { LucideIcon } from "lucide-react";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  tone?: "primary" | "plain" | "quiet" | "danger";
  icon?: LucideIcon;
  /** Work is under way: the button stays focusable, and does nothing. */
  busy?: boolean;
  children: ReactNode;
}

export function Button({
  tone = "plain",
  icon: Icon,
  busy = false,
  children,
  onClick,
  type,
  ...rest
}: Props) {
  return (
    <button
      {...rest}
      type={busy ? "button" : (type ?? "button")}
      className={`button button-${tone} ${rest.className ?? ""}`}
      aria-disabled={busy || undefined}
      data-busy={busy || undefined}
      onClick={busy ? undefined : onClick}
    >
      {Icon && <Icon aria-hidden size={16} />}
      <span>{children}</span>
    </button>
  );
}

interface IconProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: LucideIcon;
  label: string;
}

/** A button that shows only a picture; its label is read and shown as a hint. */
export function IconButton({ icon: Icon, label, ...rest }: IconProps) {
  return (
    <button
      type="button"
      {...rest}
      className={`icon-button ${rest.className ?? ""}`}
      aria-label={label}
      title={label}
    >
      <Icon aria-hidden size={18} />
    </button>
  );
}
