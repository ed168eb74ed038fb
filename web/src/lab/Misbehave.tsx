import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import type { LabChannel, Misbehaviour } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { LabError } from "./LabError";

/** As people read it: well first, then from harmless to bad. */
const ORDER: Misbehaviour[] = [
  "none",
  "slow",
  "rate_limited",
  "server_error",
  "reply_lost",
  "duplicate",
  "out_of_order",
];

/** What the provider does wrong until told otherwise: to see how the house takes it. */
export function Misbehave({ channel }: { channel: LabChannel }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const [wanted, setWanted] = useState<Misbehaviour | null>(null);
  const change = useMutation({
    mutationFn: (mode: Misbehaviour) =>
      unwrap(
        api.POST("/api/v1/lab/{account_id}/misbehaviour", {
          params: { path: { account_id: channel.account_id } },
          body: { mode },
        }),
      ),
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: keys.labChannels });
      setWanted(null);
    },
  });
  const chosen = wanted ?? channel.misbehaviour;
  return (
    <fieldset className="lab-card misbehave" data-wrong={chosen !== "none" || undefined}>
      <legend>{t("lab.provider")}</legend>
      {ORDER.filter((mode) => channel.misbehaviours.includes(mode)).map((mode) => (
        <label key={mode} className="choice">
          <input
            type="radio"
            name={`misbehave-${channel.account_id}`}
            checked={chosen === mode}
            onChange={() => {
              setWanted(mode);
              change.mutate(mode);
            }}
          />
          <span>
            {t(`lab.mode.${mode}`)}
            <small>{t(`lab.mode_hint.${mode}`)}</small>
          </span>
        </label>
      ))}
      <LabError error={change.error} />
    </fieldset>
  );
}
