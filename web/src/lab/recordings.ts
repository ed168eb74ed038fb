import { OFFLINE, Problem } from "../api/problem";

/** Ready questions for the telephone, spoken by a machine; the shop’s site serves them. */
export interface ReadyRecording {
  path: string;
  language: string;
  /** What is said. */
  words: string;
}

const FOLDER = "/demo/recordings";

export const RECORDINGS: ReadyRecording[] = [
  { path: `${FOLDER}/return-a-tent.wav`, language: "en", words: "How do I return a tent?" },
  { path: `${FOLDER}/delivery-time.wav`, language: "en", words: "How long does delivery take?" },
  { path: `${FOLDER}/wash-jacket.wav`, language: "en", words: "How do I wash a waterproof jacket?" },
  { path: `${FOLDER}/a-person.wav`, language: "en", words: "I would like to talk to a person, please." },
];

/** The recording as a file. Throws `Problem`. */
export async function fetchRecording({ path }: ReadyRecording): Promise<File> {
  let answer: Response;
  try {
    answer = await fetch(path);
  } catch {
    throw new Problem(OFFLINE, 0, "");
  }
  if (!answer.ok) throw new Problem(`http_${answer.status}`, answer.status, "");
  return new File([await answer.blob()], path.split("/").at(-1) ?? "recording.wav");
}
