import { useEffect, useRef, useState } from "react";

/** Why nothing can be recorded: `none` there, `denied` by the person or the system, or an `insecure` page. */
export type MicrophoneTrouble = "none" | "denied" | "insecure" | "failed";

export class NoMicrophone extends Error {
  constructor(readonly trouble: MicrophoneTrouble) {
    super(trouble);
  }
}

const LONGEST = 120_000;

function troubleOf(error: unknown): MicrophoneTrouble {
  if (!(error instanceof DOMException)) return "failed";
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return "denied";
  if (error.name === "NotFoundError" || error.name === "OverconstrainedError") return "none";
  return "failed";
}

/** A recording under way: the stream, its recorder, and how loud it is just now. */
class Recording {
  private readonly pieces: Blob[] = [];
  private readonly context = new AudioContext();
  private readonly analyser: AnalyserNode;
  private readonly window: Float32Array<ArrayBuffer>;

  private constructor(
    private readonly stream: MediaStream,
    private readonly recorder: MediaRecorder,
  ) {
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.window = new Float32Array(this.analyser.fftSize);
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    recorder.ondataavailable = (event) => this.pieces.push(event.data);
    recorder.start(250);
  }

  /** Throws `NoMicrophone`. */
  static async begin(): Promise<Recording> {
    // Absent on pages that did not come over HTTPS or from this machine.
    if (!("mediaDevices" in navigator)) throw new NoMicrophone("insecure");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
      return new Recording(stream, new MediaRecorder(stream));
    } catch (error) {
      throw new NoMicrophone(troubleOf(error));
    }
  }

  /** From 0 to 1. */
  level(): number {
    this.analyser.getFloatTimeDomainData(this.window);
    const power = this.window.reduce((sum, one) => sum + one * one, 0) / this.window.length;
    return Math.min(1, Math.sqrt(power) * 4);
  }

  async end(): Promise<Blob> {
    const ended = new Promise((resolve) => this.recorder.addEventListener("stop", resolve, { once: true }));
    this.recorder.stop();
    await ended;
    this.release();
    return new Blob(this.pieces, { type: this.recorder.mimeType });
  }

  /** Lets go of the microphone; what was said is lost. */
  release(): void {
    this.stream.getTracks().forEach((track) => track.stop());
    void this.context.close();
  }
}

interface Microphone {
  recording: boolean;
  level: number;
  seconds: number;
  /** Throws `NoMicrophone`. */
  begin: () => Promise<void>;
  end: () => void;
  cancel: () => void;
}

/** The microphone; `onSpoken` gets what was said when `end` is called, or when it has lasted two minutes. */
export function useMicrophone(onSpoken: (recording: Blob) => void): Microphone {
  const current = useRef<Recording | null>(null);
  const [heard, setHeard] = useState<{ level: number; seconds: number } | null>(null);
  const recording = heard !== null;

  function end(): void {
    const running = current.current;
    current.current = null;
    setHeard(null);
    if (running !== null) void running.end().then(onSpoken);
  }
  const ending = useRef(end);
  useEffect(() => {
    ending.current = end;
  });

  useEffect(() => {
    if (!recording) return;
    const since = Date.now();
    const timer = setInterval(() => {
      const lasted = Date.now() - since;
      if (lasted > LONGEST) ending.current();
      else setHeard({ level: current.current?.level() ?? 0, seconds: lasted / 1000 });
    }, 100);
    return () => clearInterval(timer);
  }, [recording]);

  useEffect(() => () => current.current?.release(), []);

  return {
    recording,
    level: heard?.level ?? 0,
    seconds: heard?.seconds ?? 0,
    begin: async () => {
      current.current = await Recording.begin();
      setHeard({ level: 0, seconds: 0 });
    },
    end,
    cancel: () => {
      current.current?.release();
      current.current = null;
      setHeard(null);
    },
  };
}
