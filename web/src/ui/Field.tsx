import { useId, type InputHTMLAttributes, type SelectHTMLAttributes, type ReactNode } from "react";

interface Props extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: string;
}

export function Field({ label, hint, ...input }: Props) {
  const id = useId();
  const hintId = `${id}-hint`;
  const described = [input["aria-describedby"], hint ? hintId : null].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input {...input} id={id} aria-describedby={described || undefined} />
      {hint && (
        <p id={hintId} className="field-hint">
          {hint}
        </p>
      )}
    </div>
  );
}

interface SelectProps extends SelectHTMLAttributes<HTMLSelectElement> {
  label: string;
  /** The label is read but not shown. */
  bare?: boolean;
  children: ReactNode;
}

export function Select({ label, bare = false, children, ...select }: SelectProps) {
  const id = useId();
  if (bare) {
    return (
      <select
        {...select}
        className={`select-bare ${select.className ?? ""}`}
        aria-label={label}
        title={label}
      >
        {children}
      </select>
    );
  }
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select {...select} id={id}>
        {children}
      </select>
    </div>
  );
}
