/** The code of a request that got no answer. */
export const OFFLINE = "offline";

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** A problem document (RFC 9457) of the API. `code` is stable; `message` is the server's English detail. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    detail: string,
    readonly params: Record<string, unknown> = {},
  ) {
    super(detail);
    this.name = "Problem";
  }

  static from(status: number, body: unknown): Problem {
    const fields = record(body);
    const code = typeof fields["code"] === "string" ? fields["code"] : `http_${status}`;
    const detail = typeof fields["detail"] === "string" ? fields["detail"] : "";
    return new Problem(code, status, detail, record(fields["params"]));
  }

  /** Whether the same request may succeed later without being changed. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function isProblem(error: unknown, status?: number): error is Problem {
  return error instanceof Problem && (status === undefined || error.status === status);
}
