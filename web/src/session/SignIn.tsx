import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Link } from "wouter";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import { useI18n } from "../i18n/I18n";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { FormError } from "../ui/FormError";
import { DoorPage } from "./DoorPage";

export function SignIn() {
  const { t } = useI18n();
  const client = useQueryClient();
  const errorId = useId();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => unwrap(api.POST("/api/v1/session", { body: { email: email.trim(), password } })),
    onSuccess: (me) => client.setQueryData(keys.me, me),
  });

  return (
    <DoorPage title={t("signin.title")}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          signIn.mutate();
        }}
      >
        <Field
          label={t("signin.email")}
          type="email"
          name="email"
          autoComplete="username"
          required
          autoFocus
          value={email}
          aria-describedby={errorId}
          onChange={(event) => setEmail(event.target.value)}
        />
        <Field
          label={t("signin.password")}
          type="password"
          name="password"
          autoComplete="current-password"
          required
          value={password}
          aria-describedby={errorId}
          onChange={(event) => setPassword(event.target.value)}
        />
        <FormError id={errorId} error={signIn.error} />
        <Button type="submit" tone="primary" busy={signIn.isPending}>
          {t("signin.submit")}
        </Button>
        <Link className="quiet-link" href="/password-reset">
          {t("signin.forgot")}
        </Link>
      </form>
    </DoorPage>
  );
}
