import { useState } from "react";
import { api, unwrap } from "../api/client";
import { newKey } from "../api/key";
import type { Attachment } from "../api/types";

interface Failed {
  key: string;
  file: File;
  error: unknown;
}

/** Files on their way into a message: uploaded at once, named by id when the message is sent. */
export function useUploads() {
  const [done, setDone] = useState<Attachment[]>([]);
  const [running, setRunning] = useState<string[]>([]);
  const [failed, setFailed] = useState<Failed[]>([]);

  async function upload(file: File, key: string): Promise<void> {
    setRunning((keys) => [...keys, key]);
    setFailed((all) => all.filter((one) => one.key !== key));
    try {
      const attachment = await unwrap(
        api.POST("/api/v1/attachments", {
          // The generated type of a binary field is a string; what goes over the wire is the form below.
          body: { file: file.name },
          bodySerializer: () => {
            const form = new FormData();
            form.append("file", file);
            return form;
          },
          headers: { "Idempotency-Key": key },
        }),
      );
      setDone((all) => [...all, attachment]);
    } catch (error) {
      setFailed((all) => [...all, { key, file, error }]);
    } finally {
      setRunning((keys) => keys.filter((one) => one !== key));
    }
  }

  return {
    done,
    failed,
    busy: running.length > 0,
    add: (files: Iterable<File>) => {
      for (const file of files) void upload(file, newKey());
    },
    retry: (one: Failed) => void upload(one.file, one.key),
    dismiss: (one: Failed) => setFailed((all) => all.filter((other) => other !== one)),
    remove: (attachment: Attachment) => setDone((all) => all.filter((one) => one.id !== attachment.id)),
    clear: () => {
      setDone([]);
      setFailed([]);
    },
  };
}
