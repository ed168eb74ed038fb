import { useState } from "react";
import { useI18n } from "../i18n/I18n";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { PERSONAS, asKnown, type Customer, type Persona } from "./personas";

interface Props {
  peerKind: string;
  /** Null for somebody who was typed in. */
  persona: Persona | null;
  customer: Customer;
  onPersona: (persona: Persona) => void;
  onOther: (customer: Customer) => void;
}

/** Who one is in the lab: a ready customer, or anybody. */
export function PersonaPicker({ peerKind, persona, customer, onPersona, onOther }: Props) {
  const { t, formats } = useI18n();
  return (
    <section className="lab-card personas" aria-label={t("lab.personas")}>
      <h2>{t("lab.personas")}</h2>
      <ul>
        {PERSONAS.map((one) => (
          <li key={one.id}>
            <button type="button" aria-pressed={one === persona} onClick={() => onPersona(one)}>
              <Avatar name={one.name} />
              <span className="persona-name">
                <bdi lang={one.language}>{one.name}</bdi>
                <small>
                  {formats.languageName(one.language)} · <bdi dir="ltr">{asKnown(one, peerKind).who}</bdi>
                </small>
              </span>
            </button>
          </li>
        ))}
      </ul>
      <Other key={peerKind} open={persona === null} customer={customer} onOther={onOther} />
    </section>
  );
}

interface OtherProps {
  open: boolean;
  customer: Customer;
  onOther: (customer: Customer) => void;
}

function Other({ open, customer, onOther }: OtherProps) {
  const { t } = useI18n();
  const [name, setName] = useState(open ? customer.name : "");
  const [who, setWho] = useState(open ? customer.who : "");
  return (
    <details className="other" open={open}>
      <summary>{t("lab.other")}</summary>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          onOther({ name: name.trim(), who: who.trim() });
        }}
      >
        <Field
          label={t("lab.name")}
          value={name}
          dir="auto"
          onChange={(event) => setName(event.target.value)}
        />
        <Field
          label={t("lab.address")}
          hint={t("lab.address_hint")}
          required
          maxLength={254}
          dir="ltr"
          value={who}
          onChange={(event) => setWho(event.target.value)}
        />
        <Button type="submit">{t("lab.be_other")}</Button>
      </form>
    </details>
  );
}
