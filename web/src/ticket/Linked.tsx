import { Fragment } from "react";

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`]+/gi;
const TRAILING = /[.,;:!?)\]}»”’。、！？）」]+$/;

/** Text of strangers with its web addresses as links; nothing in it is ever markup. */
export function Linked({ text }: { text: string }) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    let address = match[0].replace(TRAILING, "");
    // A bracket that the address itself opens belongs to it.
    if (address.includes("(") && match[0].startsWith(`${address})`)) address += ")";
    parts.push(
      <Fragment key={match.index}>
        {text.slice(from, match.index)}
        <a href={address} target="_blank" rel="noopener noreferrer nofollow">
          {address}
        </a>
      </Fragment>,
    );
    from = match.index + address.length;
  }
  return (
    <>
      {parts}
      {text.slice(from)}
    </>
  );
}
