import { CircleAlert } from "lucide-react";
import { useErrorText } from "./useErrorText";

/** What went wrong with a form; there from the start, so that screen readers announce the change. */
export function FormError({ error, id }: { error: unknown; id?: string }) {
  const text = useErrorText();
  return (
    <div id={id} role="alert" className="form-error" data-empty={error ? undefined : true}>
      {error ? (
        <>
          <CircleAlert aria-hidden size={16} />
          <span>{text(error)}</span>
        </>
      ) : null}
    </div>
  );
}
