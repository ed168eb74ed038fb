import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

interface Props {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
}

export function EmptyState({ icon: Icon, title, children }: Props) {
  return (
    <div className="empty-state">
      <span className="empty-icon">
        <Icon aria-hidden size={26} />
      </span>
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}
