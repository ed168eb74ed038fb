import createClient from "openapi-fetch";
import type { paths } from "./schema";
import { OFFLINE, Problem } from "./problem";

/** The typed client of the house's own API. The session is a cookie, so nothing is carried by hand. */
export const api = createClient<paths>({
  baseUrl: "/",
  // A list of values is a repeated parameter, as FastAPI reads it.
  querySerializer: { array: { style: "form", explode: true } },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer. Throws `Problem`, also when no answer came. */
export async function unwrap<T>(request: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(OFFLINE, 0, "");
  }
  if (!answer.response.ok) throw Problem.from(answer.response.status, answer.error);
  return answer.data as T;
}
