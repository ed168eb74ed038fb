import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Link } from "wouter";
import { api, unwrap } from "../api/client";
import { useI18n } from "../i18n/I18n";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { FormError } from "../ui/FormError";
import { DoorPage } from "./DoorPage";

export const PASSWORD_MIN = 12;

/** Asks for a mail with a link. The answer never tells whether there is such a user. */
export function ResetRequest() {
  const { t } = useI18n();
  const errorId = useId();
  const [email, setEmail] = useState("");
  const ask = useMutation({
    mutationFn: () => unwrap(api.POST("/api/v1/password-resets", { body: { email: email.trim() } })),
  });

  return (
    <DoorPage title={t("reset.title")}>
      {ask.isSuccess ? (
        <p role="status">{t("reset.sent")}</p>
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            ask.mutate();
          }}
        >
          <p className="muted">{t("reset.intro")}</p>
          <Field
            label={t("signin.email")}
            type="email"
            autoComplete="username"
            required
            autoFocus
            value={email}
            aria-describedby={errorId}
            onChange={(event) => setEmail(event.target.value)}
          />
          <FormError id={errorId} error={ask.error} />
          <Button type="submit" tone="primary" busy={ask.isPending}>
            {t("reset.submit")}
          </Button>
        </form>
      )}
      <Link className="quiet-link" href="/">
        {t("reset.back")}
      </Link>
    </DoorPage>
  );
}

export function NewPassword({ token }: { token: string }) {
  const { t } = useI18n();
  const errorId = useId();
  const [password, setPassword] = useState("");
  const change = useMutation({
    mutationFn: () => unwrap(api.PUT("/api/v1/password-resets", { body: { token, password } })),
  });

  return (
    <DoorPage title={t("reset.new_title")}>
      {change.isSuccess ? (
        <p role="status">{t("reset.done")}</p>
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            change.mutate();
          }}
        >
          <Field
            label={t("reset.new_password")}
            hint={t("reset.password_hint", { count: PASSWORD_MIN })}
            type="password"
            autoComplete="new-password"
            minLength={PASSWORD_MIN}
            required
            autoFocus
            value={password}
            aria-describedby={errorId}
            onChange={(event) => setPassword(event.target.value)}
          />
          <FormError id={errorId} error={change.error} />
          <Button type="submit" tone="primary" busy={change.isPending}>
            {t("reset.save")}
          </Button>
        </form>
      )}
      <Link className="quiet-link" href="/">
        {t("reset.back")}
      </Link>
    </DoorPage>
  );
}
