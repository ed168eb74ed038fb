const HUES = 8;

function hue(text: string): number {
  let sum = 0;
  for (const character of text) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}

/** The first letters of a name or of an address; of a number, its end. */
function initialsOf(name: string): string {
  if (!/\p{L}/u.test(name)) return name.replace(/[^\p{N}]/gu, "").slice(-2) || "?";
  const words = name
    .replace(/@.*/, "")
    .split(/[\s._-]+/)
    .filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  const initials = letters.map((word) => Array.from(word ?? "?")[0] ?? "").join("");
  return initials.toLocaleUpperCase();
}

/** Somebody's initials, in a colour of their own. */
export function Avatar({ name }: { name: string }) {
  return (
    <span className={`avatar avatar-${hue(name)}`} aria-hidden>
      {initialsOf(name)}
    </span>
  );
}
