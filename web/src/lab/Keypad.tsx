import { useI18n } from "../i18n/I18n";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"] as const;
const LETTERS: Partial<Record<string, string>> = {
  "2": "ABC",
  "3": "DEF",
  "4": "GHI",
  "5": "JKL",
  "6": "MNO",
  "7": "PQRS",
  "8": "TUV",
  "9": "WXYZ",
  "0": "+",
};

/** The keys of a telephone, as they lie there in every language. */
export function Keypad({ disabled, onPress }: { disabled: boolean; onPress: (key: string) => void }) {
  const { t } = useI18n();
  return (
    <div className="keypad" role="group" aria-label={t("lab.keypad")} dir="ltr">
      {KEYS.map((key) => (
        <button key={key} type="button" disabled={disabled} onClick={() => onPress(key)}>
          <span>{key}</span>
          <small aria-hidden>{LETTERS[key] ?? ""}</small>
        </button>
      ))}
    </div>
  );
}
